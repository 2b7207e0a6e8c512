// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/api_error.h"
#include "serve/byte_budget.h"
#include "serve/engine.h"
#include "serve/http.h"
#include "serve/limits.h"
#include "serve/metrics.h"
#include "serve/text_request.h"
#include "text/text_model.h"

namespace strata::serve {

struct ServiceOptions {
  std::string model;                      // as clients see it
  std::vector<std::string> api_keys;      // any of them lets in; none: everybody may
  std::vector<std::string> cors_origins;  // pages of these may ask, "*": of any; none: none of another origin
  std::vector<std::string> hosts;         // names that requests may call this server by; empty: any
  // What went wrong on the server's side, which is no client's business.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

// The endpoints of docs/cli.md, apart from HTTP: any thread may ask, many at once.
class Service {
 public:
  // All of them must outlive the service.
  Service(Engine& engine, const text::TextModel& text, Metrics& metrics, ServiceOptions options);

  // The answer, also to what is wrong: it never throws but for want of memory.
  HttpResponse handle(const HttpRequest& request) const;

  // Whether a request may be answered at all, as far as its header tells; the body needs not be there. Else its answer.
  std::optional<HttpResponse> refuse(const HttpRequest& request) const;

  // Every path that there is something at.
  std::vector<std::string> paths() const;

 private:
  using Handler = HttpResponse (Service::*)(const HttpRequest&) const;
  struct Route {
    std::string path, method;
    Handler handler;
    bool is_open = false;  // without a key
  };

  void check_access(const HttpRequest& request, const Route* route) const;
  const Route* find(const HttpRequest& request) const;
  HttpResponse answer(const HttpRequest& request, const std::function<HttpResponse()>& make) const;
  ApiError own_fault(const std::string& message) const;
  void add_headers(const HttpRequest& request, HttpResponse& response) const;

  HttpResponse page(const HttpRequest& request) const;
  HttpResponse health(const HttpRequest& request) const;
  HttpResponse models(const HttpRequest& request) const;
  HttpResponse model(const HttpRequest& request) const;
  HttpResponse metrics(const HttpRequest& request) const;
  HttpResponse tokenize(const HttpRequest& request) const;
  HttpResponse detokenize(const HttpRequest& request) const;
  HttpResponse completions(const HttpRequest& request) const;
  HttpResponse chat(const HttpRequest& request) const;
  HttpResponse embeddings(const HttpRequest& request) const;
  HttpResponse messages(const HttpRequest& request) const;
  HttpResponse count_tokens(const HttpRequest& request) const;
  HttpResponse responses(const HttpRequest& request) const;

  // A chat as the model gets it.
  struct Chat {
    TextRequest text;
    std::vector<std::int32_t> prompt;
    AnswerParser::Options parser;
  };
  using ChatReader = std::function<Json(Json body)>;  // gives a body of /v1/chat/completions
  using ChatFormatMaker = std::function<std::unique_ptr<AnswerFormat>(AnswerHead, const AnswerParser::Options&)>;
  Chat read_chat(const HttpRequest& request, const ChatReader& read) const;
  HttpResponse answer_chat(const HttpRequest& request, Chat chat, const ChatFormatMaker& make_format) const;

  void set_grammar(const AnswerShape& shape, TextRequest& request) const;
  std::string render(Json context) const;
  std::vector<std::int32_t> tokens_of(const Prompt& prompt) const;
  Json model_json() const;
  RequestBounds bounds() const;
  std::vector<std::shared_ptr<Generation>> submit(std::vector<std::vector<std::int32_t>> prompts,
                                                  const TextRequest& request) const;

  Engine& engine_;
  const text::TextModel& text_;
  Metrics& metrics_;
  const ServiceOptions options_;
  const std::int64_t created_;
  std::size_t longest_token_ = 1;  // bytes
  std::vector<Route> routes_;
  mutable ByteBudget preparing_{kMaxReadBytes};
  mutable GrammarCache grammars_;
};

}  // namespace strata::serve
