// A queue in which clients take turns: one with a hundred requests waiting does not keep another's single one waiting for all
// of them.
#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <string>
#include <utility>

namespace sensorium::server {

// Not thread-safe.
template <typename Item>
class FairQueue {
 public:
  void push(const std::string& client, Item item) {
    ++size_;
    for (Client& known : clients_) {
      if (known.name == client) {
        known.items.push_back(std::move(item));
        return;
      }
    }
    clients_.push_back({client, {}});
    clients_.back().items.push_back(std::move(item));
  }

  size_t size() const { return size_; }

  // Removes and returns the next item that `ready` holds for, or Item(): the first such of the first client in turn that has
  // one, who then is last.
  template <typename Ready>
  Item take(Ready&& ready) {
    for (auto client = clients_.begin(); client != clients_.end(); ++client) {
      for (auto item = client->items.begin(); item != client->items.end(); ++item) {
        if (!ready(*item)) continue;
        Item taken = std::move(*item);
        client->items.erase(item);
        --size_;
        clients_.splice(clients_.end(), clients_, client);
        if (client->items.empty()) clients_.erase(client);
        return taken;
      }
    }
    return Item();
  }

  // Removes the items that `unwanted` holds for.
  template <typename Unwanted>
  void remove_if(Unwanted&& unwanted) {
    for (auto client = clients_.begin(); client != clients_.end();) {
      size_ -= std::erase_if(client->items, unwanted);
      client = client->items.empty() ? clients_.erase(client) : std::next(client);
    }
  }

 private:
  struct Client {
    std::string name;
    std::deque<Item> items;
  };
  std::list<Client> clients_;  // in the order of their turns
  size_t size_ = 0;
};

}  // namespace sensorium::server
