// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/model_source.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "import/model_folder.h"
#include "serve/access.h"
#include "serve/engine.h"
#include "serve/http_server.h"
#include "serve/service.h"
#include "serve/session_model.h"

namespace strata::cli {
namespace {

constexpr std::int64_t kMaxSlots = 256;
constexpr std::int64_t kMaxQueue = 1 << 16;
constexpr std::int64_t kMaxPort = 65535;
// Of the time that a signal leaves (kGraceSeconds), so much for what is being made.
constexpr std::chrono::milliseconds kDrainTime{1200};

struct ServeOptions {
  ModelSource model;
  std::string host = "127.0.0.1";
  int port = 8080;
  int parallel = 4;
  std::size_t queue = 64;
  std::vector<std::string> api_keys, cors;
  runtime::SessionOptions session;
};

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

// Whoever has no key shows by the name that it calls this server by that it is no page of another site.
std::vector<std::string> known_hosts(const ServeOptions& options) {
  if (!is_loopback(options.host) || !options.api_keys.empty()) return {};
  return {"localhost", "127.0.0.1", "[::1]", options.host};
}

std::string in_url(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

std::string served_name(const runtime::Session& session, const std::string& model) {
  const std::string& name = session.manifest().model_name;
  return name.empty() ? importer::model_name(importer::resolve_model_folder(model)) : name;
}

void check(const ServeOptions& options) {
  if (options.host.empty()) throw usage_error("the host is empty", "give --host an address, such as 127.0.0.1");
  for (const std::string& origin : options.cors) {
    if (!serve::is_origin(origin)) {
      throw usage_error(in_quotes(origin) + " is no origin", "give --cors one, such as https://page.example, or *");
    }
  }
  for (const std::string& key : options.api_keys) {
    if (key.empty()) throw usage_error("an API key is empty", "give --api-key some text");
  }
}

void serve(ServeOptions options, Console& console) {
  check(options);
  const text::TextModel text = load_model_text(options.model.path);
  options.session.sequences = options.parallel;
  options.model.sequences = options.parallel;
  const auto session = open_session(console, options.model, options.session);
  serve::SessionModel model(*session, options.parallel);
  serve::Metrics metrics;
  serve::Engine engine(model, text, options.queue, metrics);
  const serve::Service service(
      engine, text, metrics,
      {.model = served_name(*session, options.model.path),
       .api_keys = options.api_keys,
       .cors_origins = options.cors,
       .hosts = known_hosts(options),
       .log = [&console](const std::string& message) { console.info("strata: error: " + message); }});
  serve::HttpServer server(service, options.host, options.port);
  if (!is_loopback(options.host) && options.api_keys.empty()) {
    console.info("strata: warning: whoever reaches " + options.host + " may use this server; give --api-key KEY");
  }
  server.start();
  console.info("strata: " + std::to_string(options.parallel) + " texts at once, each of at most " +
               std::to_string(session->context()) + " tokens; Ctrl-C ends the server");
  console.out("listening on http://" + in_url(options.host) + ":" + std::to_string(server.port()) + "\n");
  console.flush();
  wait_for_input(-1);
  engine.drain(kDrainTime);
  server.stop();
  stop_if_interrupted();
}

}  // namespace

Action declare_serve(CLI::App& app, Console& console) {
  auto options = std::make_shared<ServeOptions>();
  add_model_to_run(app, options->model);
  app.add_option("--host", options->host, "The address that it listens on (default: 127.0.0.1, this machine alone)");
  app.add_option("--port", options->port, "The port; 0: a free one (default: 8080)")->check(integer_in(0, kMaxPort));
  app.add_option("--parallel", options->parallel, "Also -np: texts that are made at once (default: 4)")
      ->check(integer_in(1, kMaxSlots));
  app.add_option("--queue", options->queue, "Texts that may wait for that (default: 64)")
      ->check(integer_in(0, kMaxQueue));
  app.add_option("--api-key", options->api_keys, "Let in who sends this key; may be given again")
      ->allow_extra_args(false);
  app.add_option("--cors", options->cors, "Let pages of this origin use it; *: of any; may be given again")
      ->allow_extra_args(false);
  add_threads(app, options->session.threads);
  add_verify(app, options->session.verify);
  add_context(app, options->session.context);
  return [options, &console] { serve(*options, console); };
}

}  // namespace strata::cli
