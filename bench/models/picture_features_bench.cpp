// How far the rows that a quantised LLaVA makes of pictures are from those of its original in f32: cosines as JSON on stdout.
// Usage: picture_features_bench ORIGINAL QUANTISED PICTURE...
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "media/decode.h"
#include "models/llava/model.h"

namespace sensorium::models {
namespace {

std::vector<double> cosines(const Tensor& a_TC, const Tensor& b_TC) {
  const std::vector<float> a = a_TC.to_floats(), b = b_TC.to_floats();
  require(a.size() == b.size(), ErrorKind::usage, "the models make {} and {} of the same picture", a_TC.shape(),
          b_TC.shape());
  const auto columns = static_cast<size_t>(a_TC.dim(1));
  std::vector<double> cosines;
  for (size_t begin = 0; begin < a.size(); begin += columns) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = begin; i < begin + columns; ++i) {
      ab += static_cast<double>(a[i]) * b[i];
      aa += static_cast<double>(a[i]) * a[i];
      bb += static_cast<double>(b[i]) * b[i];
    }
    cosines.push_back(ab / std::sqrt(aa * bb));
  }
  return cosines;
}

void run(int argc, char** argv) {
  require(argc >= 4, ErrorKind::usage, "usage: picture_features_bench ORIGINAL QUANTISED PICTURE...");
  // One model in memory at a time.
  const auto rows_of = [&](const char* folder, DType compute) {
    const std::unique_ptr<Model> model = load_model(folder, compute);
    const auto* llava = dynamic_cast<const LlavaModel*>(model.get());
    require(llava != nullptr, ErrorKind::usage, "{} is no LLaVA", folder);
    std::vector<Tensor> rows;
    for (int i = 3; i < argc; ++i) rows.push_back(llava->read_picture(media::load_image(argv[i])));
    return rows;
  };
  const std::vector<Tensor> wanted = rows_of(argv[1], DType::f32);
  OrderedJson json = OrderedJson::object();
  for (const DType compute : {DType::f32, DType::bf16}) {
    const std::vector<Tensor> made = rows_of(argv[2], compute);
    std::vector<double> all;
    for (size_t i = 0; i < made.size(); ++i) {
      const std::vector<double> some = cosines(wanted[i], made[i]);
      all.insert(all.end(), some.begin(), some.end());
    }
    double sum = 0;
    for (const double cosine : all) sum += cosine;
    json[std::string(name_of(compute))] = {{"rows", all.size()},
                                           {"mean", sum / static_cast<double>(all.size())},
                                           {"least", *std::min_element(all.begin(), all.end())}};
  }
  std::puts(json.dump().c_str());
}

}  // namespace
}  // namespace sensorium::models

int main(int argc, char** argv) {
  try {
    sensorium::models::run(argc, argv);
  } catch (const sensorium::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
