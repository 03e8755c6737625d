// Plans, the hub's listings, and the table of checkpoints.
#include "hub/plan.h"

#include <gtest/gtest.h>

#include <set>

#include "hub/catalog.h"
#include "hub/repository.h"

namespace sensorium::hub {
namespace {

const std::string kHash(64, 'a');

Json plan_of(const Json& file) { return {{"model", "m"}, {"files", {file}}}; }

void expect_refused(const Json& json, const std::string& part) {
  try {
    parse_plan(json, "plan.json");
    FAIL() << json.dump();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << error.message();
    EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("plan.json"), std::string::npos) << error.message();
  }
}

TEST(Plan, ReadsWhatItWrites) {
  const Json json = {{"model", "m"},
                     {"licence", "MIT"},
                     {"files",
                      {{{"path", "a/b.json"}, {"url", "https://host/a"}, {"bytes", 12}, {"sha256", kHash}},
                       {{"path", "c"}, {"url", "http://host/c"}}}}};
  const FetchPlan plan = parse_plan(json, "plan.json");
  EXPECT_EQ(plan.files[0].bytes, 12u);
  EXPECT_EQ(plan.files[1].sha256, "");
  EXPECT_EQ(plan.known_bytes(), 12u);
  EXPECT_EQ(Json(to_json(plan)), json);
}

TEST(Plan, PathsStayInTheFolder) {
  for (const char* path :
       {"", "/etc/passwd", "../a", "a/../../b", "a/..", "a//b", "./a", "a/", "a\\b", "a\nb", "x.part", "x.part.etag"}) {
    expect_refused(plan_of({{"path", path}, {"url", "https://host/a"}}), "is no path inside");
  }
}

TEST(Plan, FaultsAreNamed) {
  const Json good = {{"path", "a"}, {"url", "https://host/a"}};
  expect_refused(Json::array(), "expected an object");
  expect_refused({{"model", "m"}, {"files", Json::array()}}, "no list of files");
  expect_refused({{"model", "m"}, {"files", {good, good}}}, "file a stands twice");
  expect_refused(plan_of({{"path", "a"}, {"url", "file:///etc/passwd"}}), "expected http:// or https://");
  expect_refused(plan_of({{"path", "a"}, {"url", "https://h/a"}, {"sha256", "abc"}}), "64 lower-case hexadecimal");
  expect_refused(plan_of({{"path", "a"}, {"url", "https://h/a"}, {"bytes", -1}}), "bytes");
  expect_refused(plan_of({{"path", "a"}, {"url", "https://h/a"}, {"sha", kHash}}), "sha");
  expect_refused(plan_of("a"), "expected an object");
}

Json listing_of(const std::vector<std::string>& names) {
  Json siblings = Json::array();
  for (const std::string& name : names) siblings.push_back({{"rfilename", name}, {"size", 5}});
  return {{"sha", "0123abc"}, {"siblings", siblings}};
}
std::vector<std::string> chosen(const std::vector<std::string>& names) {
  const FetchPlan plan = plan_from_listing(make_repository("https://hub/", "o/n", "main"), "MIT", listing_of(names));
  std::vector<std::string> paths;
  for (const PlanFile& file : plan.files) paths.push_back(file.path);
  return paths;
}
using Names = std::vector<std::string>;

TEST(Repository, TakesOneFormatOfWeightsAndWhatBelongsToIt) {
  EXPECT_EQ(
      chosen({".gitattributes", "README.md", "config.json", "flax_model.msgpack", "merges.txt",
              "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
              "pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json", "tokenizer.model", "onnx/model.onnx",
              "original/params.json", "consolidated.safetensors", "chat_template.jinja"}),
      Names({"config.json", "merges.txt", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
             "model.safetensors.index.json", "tokenizer.model", "chat_template.jinja"}));
  EXPECT_EQ(
      chosen({"config.json", "pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json", "training_args.bin",
              "mm_projector.bin"}),
      Names({"config.json", "pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json", "mm_projector.bin"}));
  EXPECT_THROW(chosen({"config.json", "model.gguf"}), Error);
}

TEST(Repository, AddressesNameTheCommit) {
  Json listing = listing_of({"model.safetensors", "a b%.json"});
  listing["siblings"][0]["lfs"] = {{"sha256", kHash}, {"size", 5}};
  const FetchPlan plan = plan_from_listing(make_repository("https://hub", "o/n", "main"), "MIT", listing);
  EXPECT_EQ(plan.files[0].url, "https://hub/o/n/resolve/0123abc/model.safetensors");
  EXPECT_EQ(plan.files[0].sha256, kHash);
  EXPECT_EQ(plan.files[0].bytes, 5u);
  EXPECT_EQ(plan.files[1].url, "https://hub/o/n/resolve/0123abc/a%20b%25.json");
  EXPECT_EQ(plan.files[1].sha256, "");
}

TEST(Repository, HostileListingsAreRefused) {
  const Repository repository = make_repository("https://hub", "o/n", "main");
  EXPECT_THROW(plan_from_listing(repository, "", Json::array()), Error);
  EXPECT_THROW(plan_from_listing(repository, "", {{"siblings", {"x"}}}), Error);
  Json listing = listing_of({"model.safetensors"});
  listing["sha"] = "../../x";
  EXPECT_THROW(plan_from_listing(repository, "", listing), Error);
  listing = listing_of({"model.safetensors"});
  listing["siblings"][0]["lfs"] = {{"sha256", "short"}};
  EXPECT_THROW(plan_from_listing(repository, "", listing), Error);
  EXPECT_THROW(plan_from_listing(repository, "", listing_of({"model.safetensors", "a\nb.json"})), Error);
}

TEST(Repository, NamesAreChecked) {
  for (const char* name : {"", "n", "o/", "/n", "o/n/x", "../n", "o/..", "o/n?x"}) {
    EXPECT_THROW(make_repository("https://hub", name, "main"), Error) << name;
  }
  EXPECT_THROW(make_repository("hub", "o/n", "main"), Error);
  EXPECT_THROW(make_repository("https://hub", "o/n", "a/b"), Error);
}

TEST(Catalog, TheTableIsSound) {
  std::set<std::string_view> names;
  for (const CatalogEntry& entry : catalog()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_NO_THROW(make_repository("https://hub", std::string(entry.repository), "main")) << entry.name;
    EXPECT_FALSE(entry.licence.empty()) << entry.name;
    EXPECT_GT(entry.weights_gb(), 0.1) << entry.name;
    EXPECT_EQ(find_in_catalog(entry.repository), &entry);
    if (!entry.needs.empty()) {
      EXPECT_NE(find_in_catalog(entry.needs), nullptr) << entry.name;
    }
  }
  try {
    catalog_entry("llava-1.5-7c");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("did you mean \"llava-1.5-7b\"?"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace sensorium::hub
