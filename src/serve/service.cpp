// SPDX-License-Identifier: Apache-2.0
#include "serve/service.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/error.h"
#include "embedded/pages.h"
#include "serve/access.h"
#include "serve/answer.h"
#include "serve/api_error.h"
#include "serve/embedding.h"
#include "serve/limits.h"
#include "serve/messages_api.h"
#include "serve/responses_api.h"
#include "text/render_chat.h"

namespace strata::serve {
namespace {

HttpResponse json_response(const Json& value, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = to_text(value);
  return response;
}

HttpResponse error_response(const ApiError& error) {
  HttpResponse response = json_response(error.to_json(), error.status());
  if (error.status() == 429 || error.status() == 503) response.headers.emplace_back("Retry-After", "1");
  if (error.status() == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

// Those that a page asks for, as clients' libraries have headers of their own.
std::string allowed_headers(const std::string& wanted) {
  return are_header_names(wanted) ? wanted : "Authorization, Content-Type, x-api-key";
}

// Of all strings in it.
std::size_t text_bytes(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().size();
  std::size_t bytes = 0;
  if (value.is_structured()) {
    for (const Json& member : value) bytes += text_bytes(member);
  }
  return bytes;
}

}  // namespace

Service::Service(Engine& engine, const text::TextModel& text, Metrics& metrics, ServiceOptions options)
    : engine_(engine), text_(text), metrics_(metrics), options_(std::move(options)), created_(unix_time()) {
  routes_ = {{"/", "GET", &Service::page, true},
             {"/health", "GET", &Service::health, true},
             {"/v1/models", "GET", &Service::models},
             {"/v1/models/" + options_.model, "GET", &Service::model},
             {"/v1/chat/completions", "POST", &Service::chat},
             {"/v1/completions", "POST", &Service::completions},
             {"/v1/embeddings", "POST", &Service::embeddings},
             {"/v1/messages", "POST", &Service::messages},
             {"/v1/messages/count_tokens", "POST", &Service::count_tokens},
             {"/v1/responses", "POST", &Service::responses},
             {"/tokenize", "POST", &Service::tokenize},
             {"/detokenize", "POST", &Service::detokenize},
             {"/metrics", "GET", &Service::metrics}};
  for (std::int32_t id = 0; id < text_.tokenizer.vocab_size(); ++id) {
    longest_token_ = std::max(longest_token_, text_.tokenizer.token_bytes(id).size());
  }
}

std::vector<std::string> Service::paths() const {
  std::vector<std::string> paths;
  for (const Route& route : routes_) paths.push_back(route.path);
  return paths;
}

const Service::Route* Service::find(const HttpRequest& request) const {
  const auto at = std::ranges::find(routes_, request.path, &Route::path);
  return at == routes_.end() ? nullptr : &*at;
}

void Service::check_access(const HttpRequest& request, const Route* route) const {
  if (!is_known_host(request.host, options_.hosts)) {
    throw ApiError(403, "this server is not called " + in_quotes(request.host.substr(0, 100)));
  }
  if (!is_allowed_origin(request.origin, request.host, options_.cors_origins)) {
    throw ApiError(403, "pages of this origin may not use this server: start it with --cors ORIGIN");
  }
  const bool is_open = request.method == "OPTIONS" || (route != nullptr && route->is_open);
  if (!is_open && !has_key(request.authorization, request.api_key, options_.api_keys)) {
    throw ApiError(401, "the API key is missing or wrong: send it as \"Authorization: Bearer KEY\"", "",
                   "invalid_api_key");
  }
  if (route == nullptr) throw ApiError(404, "there is nothing at " + in_quotes(request.path.substr(0, 100)));
  const bool is_preflight = request.method == "OPTIONS" && !options_.cors_origins.empty();
  const bool is_head = request.method == "HEAD" && route->method == "GET";
  if (request.method != route->method && !is_preflight && !is_head) {
    throw ApiError(405, request.path + " takes " + route->method + " requests, not " + request.method.substr(0, 20));
  }
}

HttpResponse Service::answer(const HttpRequest& request, const std::function<HttpResponse()>& make) const {
  HttpResponse response;
  try {
    response = make();
  } catch (const ApiError& error) {
    response = error_response(error);
  } catch (const Error& error) {
    response = error_response(error.code() == ExitCode::kUsage ? bad_request(error.what()) : own_fault(error.what()));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    response = error_response(own_fault(error.what()));
  }
  add_headers(request, response);
  const Route* const route = find(request);
  metrics_.add_request(route == nullptr ? "other" : route->path, response.status);
  return response;
}

// The message may name the server's files.
ApiError Service::own_fault(const std::string& message) const {
  options_.log(message);
  return {500, "the server failed: its messages say why"};
}

void Service::add_headers(const HttpRequest& request, HttpResponse& response) const {
  const std::vector<std::string>& origins = options_.cors_origins;
  const bool is_any = std::ranges::find(origins, "*") != origins.end();
  if (request.origin.empty() || (!is_any && std::ranges::find(origins, request.origin) == origins.end())) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", is_any ? "*" : request.origin);
  response.headers.emplace_back("Vary", "Origin");
}

std::optional<HttpResponse> Service::refuse(const HttpRequest& request) const {
  try {
    check_access(request, find(request));
    return std::nullopt;
  } catch (const ApiError&) {
    return answer(request, [&]() -> HttpResponse {
      check_access(request, find(request));
      return {};
    });
  }
}

HttpResponse Service::handle(const HttpRequest& request) const {
  return answer(request, [&] {
    const Route* const route = find(request);
    check_access(request, route);
    if (request.method != "OPTIONS") return (this->*route->handler)(request);
    HttpResponse response;
    response.status = 204;
    response.headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                        {"Access-Control-Allow-Headers", allowed_headers(request.wanted_headers)},
                        {"Access-Control-Max-Age", "600"}};
    return response;
  });
}

RequestBounds Service::bounds() const {
  return {.vocabulary = std::min(engine_.vocabulary(), text_.tokenizer.vocab_size()), .sampling = text_.sampling};
}

// It loads nothing but what this server gives.
HttpResponse Service::page(const HttpRequest&) const {
  HttpResponse response;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {{"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
                       "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"}};
  response.body = embedded::pages().front().content;
  return response;
}

HttpResponse Service::health(const HttpRequest&) const {
  const Engine::Load load = engine_.load();
  return json_response(
      {{"status", "ok"}, {"slots", engine_.slots()}, {"running", load.running}, {"waiting", load.waiting}});
}

Json Service::model_json() const {
  return {{"id", options_.model},
          {"object", "model"},
          {"created", created_},
          {"owned_by", "strata"},
          {"meta", {{"n_vocab", engine_.vocabulary()}, {"n_ctx", engine_.context()}}}};
}

HttpResponse Service::models(const HttpRequest&) const {
  return json_response({{"object", "list"}, {"data", Json::array({model_json()})}});
}

HttpResponse Service::model(const HttpRequest&) const { return json_response(model_json()); }

HttpResponse Service::metrics(const HttpRequest&) const {
  const Engine::Load load = engine_.load();
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4";
  response.body = metrics_.text({load.running, load.waiting, static_cast<std::size_t>(engine_.slots())});
  return response;
}

// llama.cpp's names of the fields.
HttpResponse Service::tokenize(const HttpRequest& request) const {
  const ByteBudget::Share share(preparing_, request.body.size());
  const Json body = parse_body(request.body);
  const RequestReader reader(body);
  const bool adds = reader.boolean_or("add_special", false), parses = reader.boolean_or("parse_special", true);
  return json_response({{"tokens", text_.tokenizer.encode(reader.text("content"), parses, adds)}});
}

HttpResponse Service::detokenize(const HttpRequest& request) const {
  const ByteBudget::Share share(preparing_, request.body.size());
  const Json body = parse_body(request.body);
  const RequestReader reader(body);
  const Json* const tokens = reader.list("tokens", kMaxBodyBytes);
  if (tokens == nullptr) reader.refuse("tokens", "is missing");
  return json_response({{"content", text_.tokenizer.decode(read_tokens(*tokens, bounds().vocabulary, "tokens"))}});
}

std::vector<std::shared_ptr<Generation>> Service::submit(std::vector<std::vector<std::int32_t>> prompts,
                                                         const TextRequest& request) const {
  std::uint64_t seed = request.seed.value_or(std::random_device()());
  std::vector<Generation::Settings> all;
  for (std::vector<std::int32_t>& prompt : prompts) {
    for (std::int64_t i = 0; i < request.choices; ++i) {
      Generation::Settings settings{prompt, request.continuation, request.top_logprobs, request.uses_cache};
      settings.continuation.sampling.seed = seed++;
      all.push_back(std::move(settings));
    }
  }
  return engine_.submit(std::move(all));
}

HttpResponse Service::completions(const HttpRequest& request) const {
  std::optional<ByteBudget::Share> share(std::in_place, preparing_, request.body.size());
  CompletionRequest parsed = parse_completion_request(parse_body(request.body), bounds());
  std::vector<std::vector<std::int32_t>> prompts;
  std::vector<std::string> prefixes;
  for (const Prompt& prompt : parsed.prompts) {
    const std::string* const text = std::get_if<std::string>(&prompt);
    prompts.push_back(tokens_of(prompt));
    engine_.check_length(prompts.back().size());  // before it is copied
    for (std::int64_t i = 0; parsed.echoes && i < parsed.text.choices; ++i) {
      prefixes.push_back(text != nullptr ? *text : text_.tokenizer.decode(prompts.back()));
    }
  }
  set_grammar({.constraint = std::move(parsed.text.constraint), .tools = {}}, parsed.text);
  share.reset();
  const auto says = [&](std::int32_t token) { return !text_.tokenizer.is_special(token); };
  parsed.text.continuation.continues_prompt = std::ranges::any_of(prompts.front(), says);
  const std::size_t count = prompts.size();
  auto generations = submit(std::move(prompts), parsed.text);
  auto format = completion_format(text_.tokenizer,
                                  {.model = options_.model,
                                   .choices = generations.size(),
                                   .includes_usage = parsed.text.includes_usage,
                                   .has_logprobs = parsed.text.top_logprobs.has_value()},
                                  std::move(prefixes));
  return respond(Answer(std::move(generations), count, std::move(format), request.is_connected), parsed.text.streams);
}

// As many at once as there are slots.
HttpResponse Service::embeddings(const HttpRequest& request) const {
  const EmbeddingRequest parsed = parse_embedding_request(parse_body(request.body), bounds());
  std::vector<std::vector<float>> rows;
  std::int64_t tokens = 0;
  while (rows.size() < parsed.inputs.size()) {
    std::vector<Generation::Settings> some;
    for (std::size_t i = rows.size(); i < parsed.inputs.size() && std::cmp_less(some.size(), engine_.slots()); ++i) {
      some.push_back({.prompt = tokens_of(parsed.inputs[i]), .continuation = {}, .top_logprobs = {}});
      some.back().is_embedding = true;
      tokens += std::ssize(some.back().prompt);
    }
    std::optional<std::vector<std::vector<float>>> made =
        hidden_rows(engine_.submit(std::move(some)), request.is_connected);
    if (!made) return client_has_gone();
    for (std::vector<float>& row : *made) rows.push_back(std::move(row));
  }
  Json data = Json::array();
  for (const std::vector<float>& row : rows) {
    const std::vector<float> numbers = unit_vector(row, parsed.dimensions);
    data.push_back({{"object", "embedding"},
                    {"index", data.size()},
                    {"embedding", parsed.is_base64 ? Json(base64_of(numbers)) : Json(numbers)}});
  }
  return json_response({{"object", "list"},
                        {"data", std::move(data)},
                        {"model", options_.model},
                        {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
}

// The tokens' bytes are made here rather than by the engine, which others wait for.
void Service::set_grammar(const AnswerShape& shape, TextRequest& request) const {
  request.continuation.grammar = grammars_.get(shape);
  if (request.continuation.grammar != nullptr) text_.grammar_tokens();
}

std::vector<std::int32_t> Service::tokens_of(const Prompt& prompt) const {
  const std::string* const text = std::get_if<std::string>(&prompt);
  return text != nullptr ? text_.tokenizer.encode(*text) : std::get<std::vector<std::int32_t>>(prompt);
}

std::string Service::render(Json context) const {
  const std::size_t bytes = text_bytes(context["messages"]);
  try {
    return text::render_chat(text_, std::move(context));
  } catch (const text::RenderError& error) {
    using Cause = text::RenderError::Cause;
    if (error.cause() == Cause::kTemplate) {
      options_.log(error.what());
      throw ApiError(500, "the model's chat template is not usable: " + error.reason());
    }
    if (error.cause() == Cause::kMessages) {
      throw bad_request("the chat template can't be applied to these messages: " + error.reason(), "messages");
    }
    const bool is_long = std::cmp_greater(bytes / longest_token_, engine_.context());
    throw ApiError(400,
                   "the messages, of " + std::to_string(bytes) +
                       " bytes, are too much for the chat template: " + error.reason() + ": shorten them",
                   "messages", is_long ? "context_length_exceeded" : "");
  }
}

// What it takes is some times as large as the body, and gone when it returns.
Service::Chat Service::read_chat(const HttpRequest& request, const ChatReader& read) const {
  const ByteBudget::Share share(preparing_, request.body.size());
  if (text_.chat_templates.empty()) throw bad_request("the model has no chat template: use /v1/completions");
  ChatRequest parsed = parse_chat_request(read(parse_body(request.body)), bounds());
  const bool has_tools = parsed.tools.kind != ToolChoice::Kind::kNone;
  Json without_tools;
  if (has_tools) without_tools = parsed.context, without_tools.erase("tools");
  const std::string prompt = render(std::move(parsed.context));
  const std::string other_prompt = has_tools ? render(std::move(without_tools)) : "";
  if (has_tools && other_prompt == prompt) {
    throw bad_request("the model's chat template knows no tools: leave them out", "tools");
  }
  const ToolFormat& format = tool_format_of(prompt, other_prompt);
  Chat chat{.text = std::move(parsed.text), .prompt = text_.tokenizer.encode(prompt, true, false), .parser = {}};
  chat.parser.splits_reasoning = parsed.splits_reasoning;
  const grammar::Thoughts thoughts = text::thoughts_behind(prompt, text_.tokenizer);
  chat.parser.begins_in_reasoning = thoughts == grammar::Thoughts::kBegun;
  if (has_tools) chat.parser.tools = &format;
  for (const Json& tool : parsed.tools.tools) chat.parser.tool_names.push_back(tool["function"]["name"]);
  AnswerShape shape{.constraint = std::move(chat.text.constraint),
                    .tools = std::move(parsed.tools),
                    .tool_format = &format,
                    .thoughts = thoughts};
  if (shape.constraint && shape.tools.kind == ToolChoice::Kind::kRequired) {
    throw bad_request(shape.constraint->field + " can't be given where a tool must be called", shape.constraint->field);
  }
  if (!shape.constraint && !shape.tools.is_constrained()) shape.tools = {};
  set_grammar(shape, chat.text);
  return chat;
}

HttpResponse Service::answer_chat(const HttpRequest& request, Chat chat, const ChatFormatMaker& make_format) const {
  engine_.check_length(chat.prompt.size());
  auto generations = submit({std::move(chat.prompt)}, chat.text);
  auto format = make_format({.model = options_.model,
                             .choices = generations.size(),
                             .includes_usage = chat.text.includes_usage,
                             .has_logprobs = chat.text.top_logprobs.has_value(),
                             .prompt_tokens = generations.front()->prompt_tokens()},
                            chat.parser);
  return respond(Answer(std::move(generations), 1, std::move(format), request.is_connected), chat.text.streams);
}

HttpResponse Service::chat(const HttpRequest& request) const {
  const auto same = [](Json body) { return body; };
  return answer_chat(request, read_chat(request, same), [&](AnswerHead head, const AnswerParser::Options& parser) {
    return chat_format(text_.tokenizer, std::move(head), parser);
  });
}

HttpResponse Service::messages(const HttpRequest& request) const {
  return answer_chat(request, read_chat(request, chat_of_messages), messages_format);
}

HttpResponse Service::responses(const HttpRequest& request) const {
  Json instructions;
  const auto read = [&](const Json& body) {
    Json chat = chat_of_responses(body);
    if (const auto found = body.find("instructions"); found != body.end()) instructions = *found;
    return chat;
  };
  return answer_chat(request, read_chat(request, read), [&](AnswerHead head, const AnswerParser::Options& parser) {
    return responses_format(std::move(head), parser, instructions);
  });
}

// max_tokens, which messages must have, are no matter here.
HttpResponse Service::count_tokens(const HttpRequest& request) const {
  const auto read = [](Json body) {
    body["max_tokens"] = 1;
    return chat_of_messages(body);
  };
  return json_response({{"input_tokens", read_chat(request, read).prompt.size()}});
}

}  // namespace strata::serve
