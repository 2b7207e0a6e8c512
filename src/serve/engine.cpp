// SPDX-License-Identifier: Apache-2.0
#include "serve/engine.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/error.h"
#include "text/sampler.h"

namespace strata::serve {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

ApiError shutting_down() { return {503, "the server is shutting down"}; }

}  // namespace

Engine::Engine(SequenceModel& model, const text::TextModel& text, std::size_t queue, Metrics& metrics)
    : model_(model),
      text_(text),
      queue_(queue),
      metrics_(metrics),
      slots_(static_cast<std::size_t>(model.sequences())),
      chunk_sizer_(model.chunk()) {
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].sequence = static_cast<int>(i);
  thread_ = std::thread([this] { run(); });
}

Engine::~Engine() { drain(std::chrono::milliseconds(0)); }

std::vector<std::shared_ptr<Generation>> Engine::submit(std::vector<Generation::Settings> settings) {
  const std::size_t most = queue_ + slots_.size();
  if (settings.size() > most) {
    throw bad_request("more texts are asked for than this server makes at once: " + std::to_string(most), "n");
  }
  for (const Generation::Settings& one : settings) check_length(one.prompt.size());
  std::vector<std::shared_ptr<Generation>> generations;
  const auto news = std::make_shared<News>();
  for (Generation::Settings& one : settings) {
    generations.push_back(std::make_shared<Generation>(std::move(one), news));
  }
  {
    const std::lock_guard lock(mutex_);
    if (is_draining_) throw shutting_down();
    if (running_ + waiting_.size() + generations.size() > most) {
      throw ApiError(429, "the queue is full: try again later", "", "queue_full");
    }
    waiting_.insert(waiting_.end(), generations.begin(), generations.end());
  }
  has_work_.notify_one();
  return generations;
}

void Engine::check_length(std::size_t tokens) const {
  if (tokens == 0) throw bad_request("the prompt is empty", "prompt");
  if (std::cmp_less_equal(tokens, model_.context())) return;
  throw ApiError(400,
                 "the prompt has " + std::to_string(tokens) + " tokens, the context holds " +
                     std::to_string(model_.context()) + ": shorten it, or start the server with a larger -c",
                 "messages", "context_length_exceeded");
}

void Engine::drain(std::chrono::milliseconds time) {
  {
    std::unique_lock lock(mutex_);
    is_draining_ = true;
    is_idle_.wait_for(lock, time, [&] { return running_ == 0 && waiting_.empty(); });
    is_over_ = true;
  }
  has_work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Engine::Load Engine::load() const {
  const std::lock_guard lock(mutex_);
  return {running_, waiting_.size()};
}

void Engine::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (running_ == 0 && waiting_.empty()) is_idle_.notify_all();
      has_work_.wait(lock, [&] { return is_over_ || running_ > 0 || !waiting_.empty(); });
      if (is_over_) break;
    }
    drop_cancelled();
    admit();
    take_step();
  }
  fail_all(shutting_down());
}

// What waits moves to free slots, in its order.
void Engine::admit() {
  while (true) {
    std::shared_ptr<Generation> generation;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(waiting_, [](const auto& waiting) { return waiting->is_cancelled(); });
      if (waiting_.empty() || running_ == slots_.size()) return;
      generation = std::move(waiting_.front());
      waiting_.pop_front();
      ++running_;
    }
    begin(std::move(generation));
  }
}

void Engine::begin(std::shared_ptr<Generation> generation) {
  const std::vector<std::int32_t>& prompt = generation->settings().prompt;
  // The last token is computed anew, for its logits.
  const std::size_t reusable = generation->settings().uses_cache ? prompt.size() - 1 : 0;
  const SequenceModel::Begun begun = model_.begin(ended(), std::span(prompt).first(reusable));
  Slot& slot = slots_[static_cast<std::size_t>(begun.sequence)];
  slot.generation = std::move(generation);
  const Generation::Settings& settings = slot.generation->settings();
  slot.held = begun.held;
  slot.generation->set_reused(begun.held);
  slot.continuation.emplace(text_, settings.continuation, prompt);
  slot.next = -1;
  slot.last_used = ++uses_;
  metrics_.add_prompt(prompt.size(), static_cast<std::size_t>(begun.held));
  if (settings.continuation.limit == 0) end(slot, text::EndOfText::kLimit);
}

// Sequences of free slots, those first that were not used for the longest time.
std::vector<int> Engine::ended() const {
  std::vector<int> free;
  for (const Slot& slot : slots_) {
    if (slot.is_free()) free.push_back(slot.sequence);
  }
  std::ranges::sort(free, {}, [&](int sequence) {
    return std::pair(slots_[static_cast<std::size_t>(sequence)].last_used, sequence);
  });
  return free;
}

void Engine::drop_cancelled() {
  for (Slot& slot : slots_) {
    if (slot.is_free() || !slot.generation->is_cancelled()) continue;
    metrics_.add_cancelled();
    free(slot);
  }
}

Engine::Slot* Engine::next_reader() {
  for (std::size_t i = 1; i <= slots_.size(); ++i) {
    const std::size_t index = (last_reader_ + i) % slots_.size();
    if (!slots_[index].is_reading()) continue;
    last_reader_ = index;
    return &slots_[index];
  }
  return nullptr;
}

// Those that decode come first: what they make is on its way while the prompt is read.
Engine::Step Engine::plan_step() {
  Step step;
  for (Slot& slot : slots_) {
    if (!slot.is_decoding()) continue;
    step.feeds.push_back({slot.sequence, {&slot.next, 1}, true});
    step.slots.push_back(&slot);
  }
  step.decoding = static_cast<std::int64_t>(step.feeds.size());
  if (Slot* const reader = next_reader(); reader != nullptr) {
    const auto left = std::span(reader->generation->settings().prompt).subspan(static_cast<std::size_t>(reader->held));
    const std::int64_t size = step.decoding > 0 ? chunk_sizer_.size() : model_.chunk();
    const auto tokens = left.first(std::min(left.size(), static_cast<std::size_t>(size)));
    step.feeds.push_back({reader->sequence, tokens, tokens.size() == left.size()});
    step.slots.push_back(reader);
    step.reading = static_cast<std::int64_t>(tokens.size());
  }
  return step;
}

void Engine::take_step() {
  const Step step = plan_step();
  if (step.feeds.empty()) return;
  const Clock::time_point begin = Clock::now();
  std::vector<bool> is_fed(step.feeds.size(), false);
  try {
    model_.step(step.feeds, [&](std::size_t i, std::span<const float> logits) {
      fed(*step.slots[i], step.feeds[i]);
      is_fed[i] = true;
      choose_token(*step.slots[i], logits);
    });
    for (std::size_t i = 0; i < step.feeds.size(); ++i) {
      if (!is_fed[i]) fed(*step.slots[i], step.feeds[i]);
    }
  } catch (const std::exception& error) {
    for (Slot* const slot : step.slots) {
      if (!slot->is_free()) fail(*slot, ApiError(500, std::string("the model failed: ") + error.what()), false);
    }
    return;
  }
  const double seconds = seconds_between(begin, Clock::now());
  chunk_sizer_.add(step.decoding, step.reading, seconds);
  metrics_.add_step(step.decoding, step.reading, seconds);
}

void Engine::fed(Slot& slot, const Feed& feed) { slot.held += std::ssize(feed.tokens); }

void Engine::choose_token(Slot& slot, std::span<const float> logits) {
  if (!text::are_numbers(logits)) {
    fail(slot, ApiError(500, "the model's logits are not numbers (NaN or infinite): check its weights"), false);
    return;
  }
  if (slot.generation->settings().is_embedding) {
    slot.generation->finish_embedding(model_.hidden());
    return free(slot);
  }
  text::Continuation::Choice choice;
  try {
    choice = slot.continuation->choose(logits);
  } catch (const Error& error) {
    return fail(slot, ApiError(error.code() == ExitCode::kUsage ? 400 : 500, error.what()));
  }
  const Clock::time_point now = Clock::now();
  if (slot.next < 0) {
    metrics_.add_first_token(seconds_between(slot.generation->created(), now));
  } else {
    metrics_.add_token(seconds_between(slot.last_token, now));
  }
  slot.last_token = now;
  const std::optional<std::int64_t> top = slot.generation->settings().top_logprobs;
  const bool is_counted = choice.end != text::EndOfText::kEndToken;
  std::optional<TokenLogprobs> logprobs;
  if (top && is_counted) logprobs = token_logprobs(logits, choice.token, *top);
  slot.generation->add(choice.text, std::move(logprobs));
  slot.next = choice.token;
  if (choice.end) {
    end(slot, *choice.end);
  } else if (slot.held >= model_.context()) {
    end(slot, text::EndOfText::kFullContext);
  }
}

void Engine::end(Slot& slot, text::EndOfText end) {
  const std::int64_t made = slot.continuation->chosen();
  metrics_.add_made(made);
  slot.generation->finish(end, slot.continuation->finish(), made, slot.continuation->stop_string());
  free(slot);
}

void Engine::fail(Slot& slot, const ApiError& error, bool is_right) {
  slot.generation->fail(error);
  free(slot, is_right);
}

void Engine::free(Slot& slot, bool is_right) {
  model_.end(slot.sequence, is_right);
  slot.generation = nullptr;
  slot.continuation.reset();
  slot.next = -1;
  const std::lock_guard lock(mutex_);
  --running_;
}

void Engine::fail_all(const ApiError& error) {
  for (Slot& slot : slots_) {
    if (!slot.is_free()) fail(slot, error);
  }
  const std::lock_guard lock(mutex_);
  for (const std::shared_ptr<Generation>& generation : waiting_) generation->fail(error);
  waiting_.clear();
}

}  // namespace strata::serve
