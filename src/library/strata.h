/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs packages that `strata compile` made, from C and from whatever calls C. The library neither compiles nor solves.
 *
 * What fails returns NULL, or a number below 0, and strata_error() says what. Texts are UTF-8; lengths are in bytes.
 * One caller at a time for one model. A package is a program: open one only from a source whose programs you run.
 */
#ifndef STRATA_H
#define STRATA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STRATA_API __attribute__((visibility("default")))

typedef struct strata_model strata_model;
typedef struct strata_text strata_text;

/* Why the calling thread's last call failed, in one line; valid until its next one. */
STRATA_API const char* strata_error(void);

/* "0.1.0" */
STRATA_API const char* strata_version(void);

/* Maps a package. threads: the most that work; 0: all that this process may use. context: tokens that a text holds; 0:
 * the model's own limit, at most 4096. */
STRATA_API strata_model* strata_open(const char* package, int threads, int64_t context);
STRATA_API void strata_close(strata_model* model);

STRATA_API int64_t strata_vocabulary(const strata_model* model); /* logits of a token */
STRATA_API int64_t strata_context(const strata_model* model);
STRATA_API int64_t strata_position(const strata_model* model); /* tokens that the model holds */

/* What these give is freed by strata_free(). `length` may be NULL where a text is given: it ends with a zero. */
STRATA_API int32_t* strata_tokenize(strata_model* model, const char* text, size_t length, size_t* count);
STRATA_API char* strata_detokenize(strata_model* model, const int32_t* tokens, size_t count, size_t* length);
/* The model's chat template over a JSON object with "messages", and what else templates know: "tools",
 * "add_generation_prompt", "enable_thinking". */
STRATA_API char* strata_render_chat(strata_model* model, const char* json, size_t* length);
STRATA_API void strata_free(void* memory);

/* Appends tokens to what the model holds: the logits of the last one, f32[vocabulary], valid until the next call. */
STRATA_API const float* strata_feed(strata_model* model, const int32_t* tokens, size_t count);
/* Forgets all from a position on. */
STRATA_API int strata_rewind(strata_model* model, int64_t position);

/* How a text is continued. Zeros are zeros: begin with strata_default_sampling(). */
typedef struct strata_sampling {
  int64_t limit;     /* tokens; -1: until an end token or a full context */
  float temperature; /* 0: always the likeliest token */
  int32_t top_k;
  float top_p;
  float min_p;
  float repeat_penalty;
  int32_t repeat_last_n;
  float presence_penalty;
  float frequency_penalty;
  uint64_t seed;
  int32_t ignores_end_tokens;
  int32_t begins_text;     /* the text is one of its own (an answer), else it goes on where the prompt ends */
  const char* const* stop; /* texts that end it, and are not part of it */
  size_t stop_count;
} strata_sampling;
STRATA_API strata_sampling strata_default_sampling(void);

/* Continues a prompt, whose special tokens count as such. What the model holds already of the prompt is not computed
 * again. One text at a time for one model: whoever begins another, feeds or rewinds ends it. */
STRATA_API strata_text* strata_begin(strata_model* model, const char* prompt, size_t length,
                                     const strata_sampling* sampling);
/* The next piece, of whole characters, maybe empty; valid until the next call. 1: there is more; 0: it was the last. */
STRATA_API int strata_next(strata_text* text, const char** piece, size_t* length);
/* Once it has ended: "limit", "end token", "stop", "context"; NULL before. */
STRATA_API const char* strata_end(const strata_text* text);
STRATA_API void strata_finish(strata_text* text);

#ifdef __cplusplus
}
#endif

#endif
