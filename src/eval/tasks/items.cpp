#include <algorithm>

#include "eval/metrics/registry.h"
#include "eval/tasks/task.h"

namespace sensorium::eval {

EvalResult make_result(std::string_view task, std::span<const EvalItem> items,
                       std::span<const std::string_view> metrics, const BootstrapOptions& bootstrap) {
  EvalResult result;
  result.task = task;
  result.n = static_cast<int64_t>(items.size());
  for (const std::string_view name : metrics) {
    result.metrics.emplace_back(name, find_metric(name).compute(items, bootstrap));
  }
  return result;
}

void ItemGroups::add(const std::string& key, EvalItem item) {
  const auto [place, is_new] = index_.emplace(key, groups_.size());
  if (is_new) groups_.push_back({key, {}});
  groups_[place->second].items.push_back(std::move(item));
}

std::vector<EvalItem> ItemGroups::all() const {
  std::vector<EvalItem> items;
  for (const ItemGroup& group : groups_) items.insert(items.end(), group.items.begin(), group.items.end());
  return items;
}

std::vector<ItemGroup> ItemGroups::split() const {
  constexpr size_t kMostGroups = 16, kLeastShare = 20;
  if (groups_.size() <= kMostGroups) return groups_;
  size_t total = 0;
  for (const ItemGroup& group : groups_) total += group.items.size();
  std::vector<ItemGroup> result;
  ItemGroup pooled;
  for (const ItemGroup& group : groups_) {
    if (group.items.size() * kLeastShare >= total) {
      result.push_back(group);
    } else {
      pooled.items.insert(pooled.items.end(), group.items.begin(), group.items.end());
    }
  }
  if (!pooled.items.empty()) result.push_back(std::move(pooled));
  return result;
}

}  // namespace sensorium::eval
