// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/engine.h"
#include "serve/http.h"
#include "serve/metrics.h"
#include "serve/text_request.h"
#include "text/text_model.h"

namespace strata::serve {

struct ServiceOptions {
  std::string model;                  // as clients see it
  std::vector<std::string> api_keys;  // any of them lets in; none: everybody may
  std::string cors_origin;            // "*", or the pages of this origin may ask; empty: none of another origin
  std::vector<std::string> hosts;     // names that requests may call this server by; empty: any
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
  HttpResponse responses(const HttpRequest& request) const;

  using ChatFormatMaker = std::function<std::unique_ptr<AnswerFormat>(AnswerHead, const AnswerParser::Options&)>;
  HttpResponse answer_chat(const HttpRequest& request, const Json& body, const ChatFormatMaker& make_format) const;

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
  std::vector<Route> routes_;
};

}  // namespace strata::serve
