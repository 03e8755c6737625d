#include "models/sensorium/config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace sensorium::models {

DecoderConfig read_native_decoder(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  DecoderConfig config;
  config.vocabulary = reader.get_int("vocabulary", 16, 1 << 20);
  config.context = reader.get_int("context", 16, 1 << 20);
  config.dim = reader.get_int("dim", 8, 1 << 15);
  config.layers = reader.get_int("layers", 1, 256);
  config.heads = reader.get_int("heads", 1, 512);
  config.kv_heads = reader.get_int("kv_heads", 1, 512);
  config.head_dim = reader.get_int("head_dim", 8, 256);
  config.mlp_width = reader.get_int("mlp_width", 8, 1 << 17);
  const double rope_theta = reader.get_or<double>("rope_theta", 10000.0);
  reader.finish();
  require(config.heads % config.kv_heads == 0, ErrorKind::invalid_data, "{}: heads {} is no multiple of kv_heads {}",
          where, config.heads, config.kv_heads);
  require(config.head_dim % 8 == 0, ErrorKind::invalid_data, "{}: head_dim {} is no multiple of 8", where,
          config.head_dim);
  require(rope_theta >= 1 && rope_theta <= 1e12, ErrorKind::invalid_data, "{}: rope_theta is {}, expected 1..1e12",
          where, rope_theta);
  config.rope_theta = static_cast<float>(rope_theta);
  return config;
}

OrderedJson native_decoder_json(const DecoderConfig& config) {
  return {{"vocabulary", config.vocabulary}, {"context", config.context},     {"dim", config.dim},
          {"layers", config.layers},         {"heads", config.heads},         {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},     {"mlp_width", config.mlp_width}, {"rope_theta", config.rope_theta}};
}

namespace {

constexpr std::array<std::string_view, 3> kFusionKinds = {"projector", "resampler", "cross_attention"};

}  // namespace

FusionConfig FusionConfig::from_json(const Json& json, const std::string& where, const DecoderConfig& decoder) {
  ConfigReader reader(json, where);
  FusionConfig config;
  const std::string kind = reader.get_or<std::string>("kind", std::string(kFusionKinds.front()));
  const auto* const known = std::ranges::find(kFusionKinds, kind);
  require(known != kFusionKinds.end(), ErrorKind::invalid_data, "{}: kind \"{}\" is none of {}", where, kind,
          fmt::join(kFusionKinds, ", "));
  config.kind = static_cast<FusionKind>(known - kFusionKinds.begin());
  if (config.kind == FusionKind::resampler) {
    config.tokens = reader.get_int_or("tokens", config.tokens, 1, 4096);
    config.layers = reader.get_int_or("layers", config.layers, 1, 64);
    config.heads = reader.get_int_or("heads", config.heads, 1, 512);
    require(decoder.dim % config.heads == 0 && decoder.dim / config.heads % 8 == 0 && decoder.dim / config.heads <= 256,
            ErrorKind::invalid_data,
            "{}: the decoder's dim {} in {} heads; heads have a multiple of 8 channels, at most 256", where,
            decoder.dim, config.heads);
  }
  if (config.kind == FusionKind::cross_attention) config.every = reader.get_int_or("every", config.every, 1, 256);
  reader.finish();
  return config;
}

OrderedJson FusionConfig::to_json() const {
  OrderedJson json = {{"kind", kFusionKinds[static_cast<size_t>(kind)]}};
  if (kind == FusionKind::resampler) json.update({{"tokens", tokens}, {"layers", layers}, {"heads", heads}});
  if (kind == FusionKind::cross_attention) json["every"] = every;
  return json;
}

HeadsConfig HeadsConfig::from_json(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  HeadsConfig config;
  config.query_dim = reader.get_int("query_dim", 8, 4096);
  config.labels = reader.get<std::vector<std::string>>("labels");
  config.objects = reader.get<std::vector<std::string>>("objects");
  config.thresholds = reader.get_or<std::vector<double>>("thresholds", {});
  reader.finish();
  require(config.thresholds.empty() || config.thresholds.size() == config.objects.size(), ErrorKind::invalid_data,
          "{}: {} thresholds for {} objects", where, config.thresholds.size(), config.objects.size());
  for (const double threshold : config.thresholds) {
    require(threshold >= 0 && threshold <= 1, ErrorKind::invalid_data,
            "{}: a score of {} in thresholds is outside 0..1", where, threshold);
  }
  for (const auto& [key, phrases] : {std::pair("labels", &config.labels), {"objects", &config.objects}}) {
    for (const std::string& phrase : *phrases) {
      require(!phrase.empty(), ErrorKind::invalid_data, "{}: an empty phrase among the {}", where, key);
    }
  }
  return config;
}

OrderedJson HeadsConfig::to_json() const {
  return {{"query_dim", query_dim}, {"labels", labels}, {"objects", objects}, {"thresholds", thresholds}};
}

SenseConfig SenseConfig::from_json(const modality::SenseKind& kind, const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  SenseConfig config{.kind = &kind, .encoder = nullptr, .labels = {}};
  require(reader.has("encoder"), ErrorKind::invalid_data, "{}: key \"encoder\" is missing (expected an object)", where);
  config.encoder = kind.read_encoder(kind, reader.child("encoder"), where + ": encoder");
  config.merge = reader.get_int_or("merge", config.merge, 1, 16);
  config.query_dim = reader.get_int_or("query_dim", config.query_dim, 8, 4096);
  config.labels = reader.get_or<std::vector<std::string>>("labels", {});
  reader.finish();
  for (const std::string& label : config.labels)
    require(!label.empty(), ErrorKind::invalid_data, "{}: an empty phrase among the labels", where);
  return config;
}

OrderedJson SenseConfig::to_json() const {
  return {{"encoder", encoder->to_json()}, {"merge", merge}, {"query_dim", query_dim}, {"labels", labels}};
}

JointConfig JointConfig::from_json(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  JointConfig config;
  config.dim = reader.get_int_or("dim", config.dim, 2, 1 << 14);
  config.width = reader.get_int_or("width", config.width, 8, 1 << 14);
  config.text_width = reader.get_int_or("text_width", config.text_width, 8, 1 << 14);
  config.text_layers = reader.get_int_or("text_layers", config.text_layers, 0, 64);
  config.text_heads = reader.get_int_or("text_heads", config.text_heads, 1, 512);
  config.senses = reader.get_or<std::vector<std::string>>("senses", config.senses);
  config.same_cosine = reader.get_or<double>("same_cosine", config.same_cosine);
  reader.finish();
  require(config.text_width % config.text_heads == 0 && config.text_width / config.text_heads % 8 == 0 &&
              config.text_width / config.text_heads <= 256,
          ErrorKind::invalid_data, "{}: text_width {} in {} heads; heads have a multiple of 8 channels, at most 256",
          where, config.text_width, config.text_heads);
  require(config.same_cosine >= -1 && config.same_cosine <= 1, ErrorKind::invalid_data,
          "{}: same_cosine is {}, expected -1..1", where, config.same_cosine);
  return config;
}

OrderedJson JointConfig::to_json() const {
  return {{"dim", dim},
          {"width", width},
          {"text_width", text_width},
          {"text_layers", text_layers},
          {"text_heads", text_heads},
          {"senses", senses},
          {"same_cosine", same_cosine}};
}

SensoriumConfig SensoriumConfig::from_json(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  SensoriumConfig config;
  const std::string type = reader.get<std::string>("model_type");
  require(type == "sensorium", ErrorKind::unsupported, "{}: model_type \"{}\" is not \"sensorium\"", where, type);
  reader.get_int("format_version", 1, 1);
  config.name = reader.get_or<std::string>("name", config.name);
  config.licence = reader.get_or<std::string>("licence", "");
  config.trained_on = reader.get_or<std::string>("trained_on", "");
  {
    ConfigReader prepare(reader.child("prepare"), where + ": prepare");
    config.prepare.max_pixels = prepare.get_int_or("max_pixels", config.prepare.max_pixels, 256, 1 << 26);
    config.prepare.min_side = prepare.get_int_or("min_side", config.prepare.min_side, 16, 4096);
    config.prepare.max_aspect = prepare.get_int_or("max_aspect", config.prepare.max_aspect, 1, 1000);
    prepare.finish();
  }
  require(reader.has("image"), ErrorKind::invalid_data, "{}: key \"image\" is missing (expected an object)", where);
  config.image = modality::ImageEncoderConfig::from_json(reader.child("image"), where + ": image");
  config.merge = reader.get_int_or("merge", config.merge, 1, 16);
  require(reader.has("decoder"), ErrorKind::invalid_data, "{}: key \"decoder\" is missing (expected an object)", where);
  config.decoder = read_native_decoder(reader.child("decoder"), where + ": decoder");
  config.fusion = FusionConfig::from_json(reader.child("fusion"), where + ": fusion", config.decoder);
  if (config.fusion.kind == FusionKind::cross_attention) config.decoder.cross_every = config.fusion.every;
  config.interleaves_sound = reader.get_or<bool>("interleaves_sound", false);
  config.evidence = reader.get_or<bool>("evidence", true);
  require(reader.has("heads"), ErrorKind::invalid_data, "{}: key \"heads\" is missing (expected an object)", where);
  config.heads = HeadsConfig::from_json(reader.child("heads"), where + ": heads");
  const Json& senses = reader.child("senses");
  require(senses.is_object(), ErrorKind::invalid_data, "{}: \"senses\" is {}, expected an object", where,
          senses.type_name());
  for (const auto& [name, sense] : senses.items()) {
    require(modality::find_sense(name) != nullptr, ErrorKind::unsupported,
            "{}: senses: this program has no sense \"{}\"", where, name);
  }
  for (const modality::SenseKind& kind : modality::sense_kinds()) {
    const auto sense = senses.find(kind.name);
    if (sense == senses.end()) continue;
    config.senses.push_back(SenseConfig::from_json(kind, *sense, fmt::format("{}: senses: {}", where, kind.name)));
  }
  if (reader.has("joint")) config.joint = JointConfig::from_json(reader.child("joint"), where + ": joint");
  for (const std::string& name : config.joint ? config.joint->senses : std::vector<std::string>()) {
    const bool known = name == "image" || std::ranges::any_of(config.senses, [&](const SenseConfig& sense) {
                         return sense.kind->name == name;
                       });
    require(known, ErrorKind::invalid_data, "{}: joint: senses: the model has no sense \"{}\"", where, name);
  }
  reader.child("quantization");  // for people: the names of packed tensors say the same
  reader.finish();
  return config;
}

OrderedJson SensoriumConfig::to_json() const {
  OrderedJson json;
  json["model_type"] = "sensorium";
  json["format_version"] = 1;
  json["name"] = name;
  json["licence"] = licence;
  json["trained_on"] = trained_on;
  json["prepare"] = {
      {"max_pixels", prepare.max_pixels}, {"min_side", prepare.min_side}, {"max_aspect", prepare.max_aspect}};
  json["image"] = image.to_json();
  json["merge"] = merge;
  json["decoder"] = native_decoder_json(decoder);
  if (fusion.kind != FusionKind::projector) json["fusion"] = fusion.to_json();
  if (interleaves_sound) json["interleaves_sound"] = true;
  if (!evidence) json["evidence"] = false;
  json["heads"] = heads.to_json();
  for (const SenseConfig& sense : senses) json["senses"][std::string(sense.kind->name)] = sense.to_json();
  if (joint) json["joint"] = joint->to_json();
  return json;
}

}  // namespace sensorium::models
