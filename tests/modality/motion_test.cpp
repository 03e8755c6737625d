#include "modality/motion/motion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "data/temp_folder.h"
#include "io/npy.h"
#include "modality/senses.h"

namespace sensorium::modality {
namespace {

using Files = data::TempFolder;

constexpr const char* kHeader = "acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z\n";

std::string error_of_csv(const std::string& text) {
  try {
    parse_motion_csv(text);
  } catch (const Error& error) {
    return error.message();
  }
  return "nothing was thrown";
}

TEST(MotionCsv, ColumnsInAnyOrderUnderAnyOfTheirNames) {
  for (const char* header : {"gyr_z,label,acc_x,acc_y,acc_z,gyr_x,gyr_y", "GyroscopeZ;what;ax;ay;az;gx;gy",
                             "\"gyro-z\"\tlabel\taccelerometer_x\tAccel_Y\tacc z\twx\tgyr_y"}) {
    const char separator = std::string(header).find(';') != std::string::npos    ? ';'
                           : std::string(header).find('\t') != std::string::npos ? '\t'
                                                                                 : ',';
    std::string line = "6,walk,1,2,3.5,-4,5e-1\r\n";
    std::replace(line.begin(), line.end(), ',', separator);
    const Motion motion = parse_motion_csv(std::string(header) + "\n" + line + "\n" + line);
    EXPECT_EQ(motion.values, (std::vector<float>{1, 2, 3.5f, -4, 0.5f, 6, 1, 2, 3.5f, -4, 0.5f, 6})) << header;
  }
}

TEST(MotionCsv, MissingValuesAreFilledFromTheirNeighbours) {
  const Motion motion =
      parse_motion_csv(std::string(kHeader) + "NaN,1,0,0,0,0\n2,,0,0,0,0\nnan,3,0,0,0,0\n8,4,0,0,0,0\n");
  std::vector<float> x, y;
  for (int64_t t = 0; t < motion.samples(); ++t) {
    x.push_back(motion.values[static_cast<size_t>(t * kMotionAxes)]);
    y.push_back(motion.values[static_cast<size_t>(t * kMotionAxes + 1)]);
  }
  EXPECT_EQ(x, (std::vector<float>{2, 2, 5, 8}));
  EXPECT_EQ(y, (std::vector<float>{1, 2, 3, 4}));
}

TEST(MotionCsv, OtherRatesBecomeFiftyHertz) {
  for (const double rate : {20.0, 50.0, 200.0}) {
    for (const bool milliseconds : {false, true}) {
      std::string text = milliseconds ? "time_ms,ax,ay,az,gx,gy,gz\n" : "time_s,ax,ay,az,gx,gy,gz\n";
      for (int i = 0; i <= static_cast<int>(2 * rate); ++i) {
        const double time = i / rate;
        text += fmt::format("{},{},0,9.81,0,0,0\n", 1000 + time * (milliseconds ? 1000 : 1), 3 * time);
      }
      const Motion motion = parse_motion_csv(text);
      ASSERT_NEAR(static_cast<double>(motion.samples()), 101, 1) << rate;
      for (int64_t t = 1; t + 1 < motion.samples(); ++t)
        EXPECT_NEAR(motion.values[static_cast<size_t>(t * kMotionAxes)], 3 * static_cast<double>(t) / 50, 0.02) << rate;
    }
  }
}

TEST(MotionCsv, FaultsSayWhatWasExpected) {
  EXPECT_EQ(
      error_of_csv("x,y,z\n1,2,3\n"),
      "no column of the accelerometer's x; expected acc_x, acc_y, acc_z (m/s^2), gyr_x, gyr_y, gyr_z (rad/s), and "
      "time_s if there is one");
  EXPECT_NE(error_of_csv("acc_x,acc_y,acc_z\n1,2,3\n").find("no column of the gyroscope's x"), std::string::npos);
  EXPECT_NE(error_of_csv("").find("no line of names"), std::string::npos);
  EXPECT_EQ(error_of_csv(std::string(kHeader) + "1,2,3\n"), "line 2: 3 cells, the line of names has 6");
  EXPECT_EQ(error_of_csv(std::string(kHeader) + "1,2,3,4,5,six\n"), "line 2: \"six\" is no number");
  EXPECT_EQ(error_of_csv(std::string(kHeader) + "1,2,3,4,5,inf\n"), "line 2: \"inf\" is no number");
  EXPECT_EQ(error_of_csv(std::string(kHeader) + ",2,3,4,5,6\n,2,3,4,5,6\n"),
            "2 of 2 samples of the accelerometer's x are missing");
  EXPECT_EQ(error_of_csv("time_s,ax,ay,az,gx,gy,gz\n1,0,0,0,0,0,0\n1,0,0,0,0,0,0\n"),
            "line 3: the time is missing or not later than that of the line before");
  EXPECT_NE(error_of_csv("time_s,ax,ay,az,gx,gy,gz\n0,0,0,0,0,0,0\n1e9,0,0,0,0,0,0\n").find("time_s is in seconds"),
            std::string::npos);
}

TEST_F(Files, ArraysAndTablesAreToldApartByTheirBytes) {
  Tensor array = Tensor::zeros({60, 6});
  array.data<float>()[7] = 9.81f;
  const auto npy = write("a.bin", io::encode_npy(array));
  EXPECT_EQ(load_motion(npy).samples(), 60);
  EXPECT_EQ(load_motion(npy).values[7], 9.81f);
  EXPECT_EQ(load_motion(write("b.npy", std::string(kHeader) + "1,2,3,4,5,6\n")).samples(), 1);
  for (const auto& [name, bytes] :
       {std::pair<std::string, std::string>{"c.npy", io::encode_npy(Tensor::zeros({60, 5}))},
        {"d.npy", io::encode_npy(array).substr(0, 300)},
        {"e.npy", io::encode_npy(Tensor::full({60, 6}, std::nanf("")))},
        {"f.npy", io::encode_npy(Tensor::full({60, 6}, INFINITY))},
        {"g.csv", std::string("\0\xff\x01", 3)}}) {
    const auto path = write(name, bytes);
    try {
      load_motion(path);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << name;
      EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
    }
  }
}

TEST(MotionRecording, WindowsOfTwoSecondsOfWhichTheLastEndsWithTheRecording) {
  Motion motion;
  for (int t = 0; t < 250; ++t) motion.values.insert(motion.values.end(), kMotionAxes, static_cast<float>(t));
  const Recording recording = motion_recording(motion);
  ASSERT_EQ(recording.windows.size(), 3u);
  EXPECT_DOUBLE_EQ(recording.seconds, 5);
  EXPECT_EQ(recording.windows[1].data<float>()[0], 100);
  EXPECT_EQ(recording.windows[2].data<float>()[0], 150);
  motion.values.resize(kMotionAxes * 20);
  EXPECT_THROW(motion_recording(motion), Error);
}

TEST(MotionSignal, UnitsAndLengths) {
  Tensor window_TC = Tensor::zeros({30, kMotionAxes});
  float* row = window_TC.data<float>() + 4 * kMotionAxes;
  row[1] = 2 * 9.81f;
  row[3] = 6;
  const Signal signal = motion_signal(window_TC);
  EXPECT_EQ(signal.height, 1);
  EXPECT_EQ(signal.width, 30);
  EXPECT_EQ(signal.channels, kMotionChannels);
  EXPECT_FLOAT_EQ(signal.at(0, 4, 1), 2);
  EXPECT_FLOAT_EQ(signal.at(0, 4, 3), 1);
  EXPECT_FLOAT_EQ(signal.at(0, 4, 4), 2);
  EXPECT_FLOAT_EQ(signal.at(0, 4, 7), 2);
  EXPECT_FLOAT_EQ(signal.at(0, 5, 3), -1);
  EXPECT_EQ(motion_signal(Tensor::zeros({3, kMotionAxes})).width, 16);
}

}  // namespace
}  // namespace sensorium::modality
