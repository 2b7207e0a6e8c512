// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace strata {

struct JsonBuilderLimits {
  int max_depth = 64;
  bool unique_keys = true;  // refuse an object that has a key twice; otherwise the last one counts
  std::size_t max_keys = static_cast<std::size_t>(-1);  // of one object
  std::size_t max_values = static_cast<std::size_t>(-1);
};

// Builds a document from the events of nlohmann's parser, in a time that is linear in the text; the limits end it
// before the memory that they bound is taken. The parser itself does not recurse; the depth is limited for those who
// walk the document. `Json`: nlohmann::json or nlohmann::ordered_json.
template <typename Json>
class JsonBuilder : public nlohmann::json_sax<Json> {
  using Base = nlohmann::json_sax<Json>;

 public:
  explicit JsonBuilder(const JsonBuilderLimits& limits) : limits_(limits) {}

  // The document; none: see error().
  bool parse(std::string_view text) { return Json::sax_parse(text.begin(), text.end(), this); }
  Json take() { return std::move(root_); }
  const std::string& error() const { return error_; }

  bool null() override { return place(nullptr); }
  bool boolean(bool value) override { return place(value); }
  bool number_integer(typename Base::number_integer_t value) override { return place(value); }
  bool number_unsigned(typename Base::number_unsigned_t value) override { return place(value); }
  bool number_float(typename Base::number_float_t value, const typename Base::string_t&) override {
    return place(value);
  }
  bool string(typename Base::string_t& value) override { return place(std::move(value)); }
  bool binary(typename Base::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(typename Base::string_t& name) override {
    const bool is_new = add_member(name);
    if (!is_new && limits_.unique_keys) return fail("the key \"" + name.substr(0, 100) + "\" is there twice");
    if (open_.back().value->size() > limits_.max_keys) {
      return fail("an object has more than " + std::to_string(limits_.max_keys) + " keys");
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    constexpr int kOutOfRange = 406;  // nlohmann's number of it
    return fail("not valid JSON at byte " + std::to_string(position) +
                (error.id == kOutOfRange ? ": the number is too large" : ""));
  }

 private:
  struct Open {
    Json* value;                 // stable: a container doesn't grow while one of its members is open
    std::set<std::string> keys;  // of an object whose own look-ups are linear
  };

  bool fail(const std::string& message) {
    error_ = message;
    return false;
  }

  // Makes it the member that the next value is of. False: it was there before.
  bool add_member(std::string& name) {
    auto& object = open_.back().value->template get_ref<typename Json::object_t&>();
    if constexpr (std::is_same_v<Json, nlohmann::ordered_json>) {
      const bool is_new = open_.back().keys.insert(name).second;
      if (is_new) object.emplace_back(name, Json());
      member_ = is_new ? &object.back().second : &object.find(name)->second;
      return is_new;
    } else {
      const auto [at, is_new] = object.try_emplace(std::move(name));
      member_ = &at->second;
      return is_new;
    }
  }

  Json* insert(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back().value->is_array()) {
      auto& array = open_.back().value->template get_ref<typename Json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool count() {
    if (++values_ <= limits_.max_values) return true;
    return fail("the JSON has more than " + std::to_string(limits_.max_values) + " values");
  }

  bool place(Json value) {
    insert(std::move(value));
    return count();
  }

  bool open(Json container) {
    if (open_.size() >= static_cast<std::size_t>(limits_.max_depth)) {
      return fail("JSON nested deeper than " + std::to_string(limits_.max_depth));
    }
    open_.push_back({insert(std::move(container)), {}});
    return count();
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonBuilderLimits limits_;
  Json root_;
  std::vector<Open> open_;
  Json* member_ = nullptr;
  std::size_t values_ = 0;
  std::string error_;
};

}  // namespace strata
