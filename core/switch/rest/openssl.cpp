// Loads OpenSSL and finds its functions.
#include "core/switch/rest/openssl.h"

#include <string>

#include <dlfcn.h>

#include <fmt/core.h>

#include "core/base/error.h"

namespace paytower {

namespace {

/// Never closed: OpenSSL cleans up at exit.
void* libssl() {
  // The version whose headers this was built with. It loads libcrypto too.
  static void* const library = ::dlopen("libssl.so." PAYTOWER_OPENSSL_MAJOR, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw SwitchError("OpenSSL is needed to speak to lnd, and libssl.so." PAYTOWER_OPENSSL_MAJOR
                      " cannot be loaded: install libssl3");
  return library;
}

}  // namespace

void* openssl_function(const char* name) {
  // Through a handle, the symbols of the libraries that it needs are found too.
  void* const found = ::dlsym(libssl(), name);
  if (found == nullptr) throw SwitchError(fmt::format("this OpenSSL has no {}", name));
  return found;
}

}  // namespace paytower
