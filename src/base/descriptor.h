// A file descriptor that is closed with its owner.
#pragma once

#include <unistd.h>

namespace sensorium {

class Descriptor {
 public:
  // A negative one is nobody's, and stays.
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace sensorium
