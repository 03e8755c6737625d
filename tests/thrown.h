// What a function throws.
#pragma once

#include <gtest/gtest.h>

#include "base/error.h"

namespace sensorium {

// The kind and the message; a failure of the test if nothing is thrown.
template <typename Function>
Error error_of(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorKind::numeric, "nothing was thrown");
}

}  // namespace sensorium
