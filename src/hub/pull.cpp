// SPDX-License-Identifier: Apache-2.0
#include "hub/pull.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "base/text_file.h"
#include "hub/digest.h"
#include "hub/http.h"
#include "hub/repository.h"

namespace strata::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxAnswerBytes = std::size_t{16} << 20;
constexpr int kMaxTries = 5;  // without a byte having come

std::string shown_url(const Settings& settings, const ModelName& name) {
  return settings.endpoint + "/" + name.repository;
}

[[noreturn]] void refuse_answer(const HttpAnswer& answer, const std::string& where) {
  if (answer.status == 401 || answer.status == 403) {
    throw model_error("the Hub doesn't let us have the model", where,
                      "check its name; where it is private or gated, ask for access and set HF_TOKEN");
  }
  if (answer.status == 404) throw model_error("the Hub has no such model", where, "check the name");
  const std::string reason = answer.error.empty() ? "status " + std::to_string(answer.status) : answer.error;
  throw resource_error("the Hub can't be read: " + reason, where,
                       "try again; HF_HUB_OFFLINE=1 takes what the cache has");
}

Repository read_repository(const Settings& settings, const ModelName& name) {
  const std::string where = shown_url(settings, name);
  std::string text;
  const auto take = [&](std::string_view bytes) {
    text += bytes;
    return text.size() <= kMaxAnswerBytes;
  };
  const HttpAnswer answer = http_get(
      {.url = settings.endpoint + "/api/models/" + name.repository + "/revision/main?blobs=true",
       .token = settings.token},
      [](long) { return true; }, take);
  if (!answer.is_whole || answer.status != 200) refuse_answer(answer, where);
  return parse_repository(text, where);
}

void make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw resource_error("can't make the folder: " + error.message(), path.string(), "check permissions and space");
}

Digest begun_digest(const RemoteFile& file) {
  Digest digest(file.is_sha256 ? Digest::Kind::kSha256 : Digest::Kind::kSha1);
  if (!file.is_sha256) digest.add("blob " + std::to_string(file.size) + std::string(1, '\0'));
  return digest;
}

// A file that is being downloaded, beside the blob that it becomes.
class PartialBlob {
 public:
  PartialBlob(const fs::path& blob, const RemoteFile& file) : path_(blob.string() + ".incomplete"), file_(file) {
    descriptor_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!descriptor_.is_open()) fail();
    size_ = ::lseek(descriptor_.get(), 0, SEEK_END);
    if (size_ > file.size) restart();
  }

  std::int64_t size() const { return size_; }

  void restart() {
    if (::ftruncate(descriptor_.get(), 0) != 0 || ::lseek(descriptor_.get(), 0, SEEK_SET) != 0) fail();
    size_ = 0;
  }

  // False: more than the file has.
  bool add(std::string_view bytes) {
    if (size_ + std::ssize(bytes) > file_.size) return false;
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail();
      size_ += written;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  // Becomes the blob, or goes where its bytes aren't the file's.
  void finish(const fs::path& blob) {
    Digest digest = begun_digest(file_);
    std::vector<char> buffer(std::size_t{1} << 20);
    ::lseek(descriptor_.get(), 0, SEEK_SET);
    for (ssize_t got = 0; (got = ::read(descriptor_.get(), buffer.data(), buffer.size())) > 0;) {
      digest.add({buffer.data(), static_cast<std::size_t>(got)});
    }
    if (size_ != file_.size || digest.hex() != file_.digest) {
      ::unlink(path_.c_str());
      throw model_error("a file came damaged: its digest is not the one that the Hub names", file_.path, "try again");
    }
    if (::fsync(descriptor_.get()) != 0 || ::rename(path_.c_str(), blob.c_str()) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw resource_error("can't write the file: " + errno_text(errno), path_.string(), "check permissions and space");
  }

  fs::path path_;
  const RemoteFile& file_;
  FileDescriptor descriptor_;
  std::int64_t size_ = 0;
};

// One try; whether anything came.
bool download_some(const Settings& settings, const std::string& url, PartialBlob& blob,
                   const std::function<void()>& report, HttpAnswer& answer) {
  const std::int64_t before = blob.size();
  bool is_wrong = false, has_content = false;
  const auto begin = [&](long status) {
    has_content = status == 200 || status == 206;
    if (status == 200 && before > 0) blob.restart();  // the server doesn't go on where we ended
    return has_content;
  };
  answer = http_get({.url = url, .token = settings.token, .offset = before}, begin, [&](std::string_view bytes) {
    is_wrong = !blob.add(bytes);
    report();
    return !is_wrong;
  });
  if (is_wrong) throw model_error("a file is longer than the Hub says", url, "try again");
  if (!has_content && answer.status >= 400 && answer.status < 500 && answer.status != 416 && answer.status != 429) {
    refuse_answer(answer, url);
  }
  if (answer.status == 416) blob.restart();
  return blob.size() > before;
}

class Puller {
 public:
  Puller(const Settings& settings, const ModelName& name, const PullProgress& progress)
      : settings_(settings), name_(name), progress_(progress), folder_(settings.cache / name.folder()) {}

  void pull() {
    const Repository repository = read_repository(settings_, name_);
    const std::vector<RemoteFile> files = needed_files(repository, name_);
    for (const RemoteFile& file : files) total_ += file.size;
    make_folders(folder_ / "blobs");
    make_folders(folder_ / "refs");
    for (const RemoteFile& file : files) {
      const fs::path blob = folder_ / "blobs" / file.digest;
      std::error_code ignored;
      const bool is_there = fs::file_size(blob, ignored) == static_cast<std::uintmax_t>(file.size) && !ignored;
      if (!is_there) download(repository, file, blob);
      done_ += file.size;
      link(repository, file);
    }
    write_reference(repository.revision);
  }

 private:
  void download(const Repository& repository, const RemoteFile& file, const fs::path& blob) {
    const fs::path locks = settings_.cache / ".locks" / name_.folder();  // huggingface_hub's too
    make_folders(locks);
    const FileLock lock(locks / (file.digest + ".lock"),
                        [&] { progress_("waiting for another download", done_, total_); });
    std::error_code ignored;
    if (fs::exists(blob, ignored) && fs::file_size(blob, ignored) == static_cast<std::uintmax_t>(file.size)) return;
    const std::string url =
        settings_.endpoint + "/" + name_.repository + "/resolve/" + repository.revision + "/" + url_path(file.path);
    PartialBlob partial(blob, file);
    HttpAnswer answer;
    for (int tries = 0; partial.size() < file.size || (file.size == 0 && tries == 0); ++tries) {
      if (tries == kMaxTries) refuse_answer(answer, url);
      const auto report = [&] { progress_(file.path, done_ + partial.size(), total_); };
      report();
      if (download_some(settings_, url, partial, report, answer)) tries = 0;
    }
    partial.finish(blob);
  }

  void link(const Repository& repository, const RemoteFile& file) const {
    const fs::path place = folder_ / "snapshots" / repository.revision / file.path;
    make_folders(place.parent_path());
    fs::path target = "../..";
    for (const fs::path& part : fs::path(file.path).parent_path()) target /= part.empty() ? "." : "..";
    target /= fs::path("blobs") / file.digest;
    std::error_code error;
    if (fs::is_symlink(place, error) && fs::read_symlink(place, error) == target) return;
    fs::remove(place, error);
    fs::create_symlink(target, place, error);
    if (error) throw resource_error("can't make the link: " + error.message(), place.string(), "check permissions");
  }

  // Last: a reference names a snapshot that is whole.
  void write_reference(const std::string& revision) const {
    const fs::path reference = folder_ / "refs" / "main", next = folder_ / "refs" / ".main.strata";
    write_unsynced(next, revision);
    std::error_code error;
    fs::rename(next, reference, error);
    if (error) throw resource_error("can't write the reference: " + error.message(), reference.string());
  }

  const Settings& settings_;
  const ModelName& name_;
  const PullProgress& progress_;
  const fs::path folder_;
  std::int64_t done_ = 0, total_ = 0;
};

bool has_all_shards(const fs::path& snapshot) {
  std::error_code ignored;
  const fs::path index = snapshot / "model.safetensors.index.json";
  if (!fs::exists(index, ignored)) return fs::exists(snapshot / "model.safetensors", ignored);
  const nlohmann::json json = parse_json_file(index);
  const auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object()) return false;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_safe_path(file.get_ref<const std::string&>())) return false;
    if (!fs::exists(snapshot / file.get<std::string>(), ignored)) return false;
  }
  return true;
}

}  // namespace

std::optional<fs::path> cached_model(const Settings& settings, const ModelName& name) {
  const fs::path folder = settings.cache / name.folder(), reference = folder / "refs" / "main";
  std::error_code ignored;
  if (!fs::is_regular_file(reference, ignored)) return std::nullopt;
  std::string revision = read_head(reference, 64);
  revision.erase(revision.find_last_not_of(" \r\n") + 1);
  if (!is_safe_path(revision) || revision.find('/') != std::string::npos) return std::nullopt;
  const fs::path snapshot = folder / "snapshots" / revision;
  if (!name.file.empty()) {
    const fs::path file = snapshot / name.file;
    return fs::exists(file, ignored) ? std::optional(file) : std::nullopt;
  }
  return fs::exists(snapshot / "config.json", ignored) && has_all_shards(snapshot) ? std::optional(snapshot)
                                                                                   : std::nullopt;
}

fs::path pull(const Settings& settings, const ModelName& name, const PullProgress& progress) {
  if (!settings.is_offline) Puller(settings, name, progress).pull();
  if (const std::optional<fs::path> path = cached_model(settings, name)) return *path;
  throw model_error(
      settings.is_offline ? "the cache hasn't this model, and HF_HUB_OFFLINE is set" : "the model is not whole",
      name.repository + (name.file.empty() ? "" : ":" + name.file), "pull it without HF_HUB_OFFLINE");
}

}  // namespace strata::hub
