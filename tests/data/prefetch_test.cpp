// Prefetching: order, limits, errors, a clean end.
#include "data/prefetch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "base/error.h"

namespace sensorium::data {
namespace {

TEST(Prefetcher, KeepsTheOrder) {
  Prefetcher<std::unique_ptr<int64_t>> prefetcher([](int64_t i) { return std::make_unique<int64_t>(i * i); }, 3);
  for (int64_t i = 0; i < 200; ++i) EXPECT_EQ(*prefetcher.next(), i * i);
}

TEST(Prefetcher, RunsAheadNoFurtherThanItsDepth) {
  std::atomic<int64_t> made{0};
  Prefetcher<int64_t> prefetcher(
      [&](int64_t i) {
        ++made;
        return i;
      },
      4);
  while (made < 4) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(made, 4);
  EXPECT_EQ(prefetcher.next(), 0);
  while (made < 5) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(made, 5);
}

TEST(Prefetcher, ForwardsTheErrorOfItsItem) {
  Prefetcher<int64_t> prefetcher(
      [](int64_t i) {
        if (i == 2) fail(ErrorKind::invalid_data, "set.jsonl:3: the picture is missing");
        return i;
      },
      8);
  EXPECT_EQ(prefetcher.next(), 0);
  EXPECT_EQ(prefetcher.next(), 1);
  try {
    prefetcher.next();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "set.jsonl:3: the picture is missing");
  }
  EXPECT_EQ(prefetcher.next(), 3);
}

TEST(Prefetcher, StopsWithItemsLeft) {
  std::atomic<int> alive{0};
  struct Item {
    std::shared_ptr<void> token;
  };
  {
    Prefetcher<Item> prefetcher(
        [&](int64_t) {
          ++alive;
          return Item{std::shared_ptr<void>(nullptr, [&](void*) { --alive; })};
        },
        5);
    (void)prefetcher.next();
  }
  EXPECT_EQ(alive, 0);
}

TEST(Prefetcher, DepthZeroStillWorks) {
  Prefetcher<int64_t> prefetcher([](int64_t i) { return i; }, 0);
  EXPECT_EQ(prefetcher.next(), 0);
  EXPECT_EQ(prefetcher.next(), 1);
}

// Work of the background thread stays on it, so that it cannot take the pool from training.
TEST(Prefetcher, LeavesThePoolAlone) {
  Prefetcher<bool> prefetcher(
      [](int64_t) {
        std::atomic<bool> alone{true};
        const auto self = std::this_thread::get_id();
        parallel_for(64, 1, [&](int64_t, int64_t, int) {
          if (std::this_thread::get_id() != self) alone = false;
        });
        return alone.load();
      },
      2);
  EXPECT_TRUE(prefetcher.next());
}

TEST(PrefetchedSequence, StartsAnewAtAnyOtherNumber) {
  std::atomic<int64_t> made{0};
  PrefetchedSequence<int64_t> squares(
      [&](int64_t i) {
        ++made;
        return i * i;
      },
      2);
  EXPECT_EQ(squares.at(5), 25);
  EXPECT_EQ(squares.at(6), 36);
  EXPECT_EQ(squares.at(3), 9);
  EXPECT_EQ(squares.at(4), 16);
  EXPECT_EQ(squares.at(4), 16);
  EXPECT_LE(made, 14) << "three starts, each two ahead at most";
}

}  // namespace
}  // namespace sensorium::data
