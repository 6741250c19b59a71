// OpenSSL, loaded when the first of its functions is called: if it were linked, every command would need a millisecond
// more to start. Inside namespace paytower the names below are these objects, and OpenSSL's own macros use them too.
#pragma once

#include <atomic>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace paytower {

/// The address of a function in libssl or libcrypto. Throws SwitchError, which says what to install.
[[nodiscard]] void* openssl_function(const char* name);

/// A function of OpenSSL. An object, not an overload, because an object is found before OpenSSL's declaration of that
/// name.
template <typename Function> class FromOpenSsl;
template <typename Result, typename... Arguments> class FromOpenSsl<Result (*)(Arguments...)> {
 public:
  constexpr explicit FromOpenSsl(const char* name) : name_(name) {}
  Result operator()(Arguments... arguments) const {
    void* at = at_.load(std::memory_order_relaxed);
    if (at == nullptr) at_.store(at = openssl_function(name_), std::memory_order_relaxed);
    return reinterpret_cast<Result (*)(Arguments...)>(at)(arguments...);
  }

 private:
  const char* name_;
  mutable std::atomic<void*> at_{nullptr};
};

#define PAYTOWER_FROM_OPENSSL(name) inline constinit FromOpenSsl<decltype(&::name)> name(#name)

PAYTOWER_FROM_OPENSSL(BIO_ctrl);
PAYTOWER_FROM_OPENSSL(BIO_free);
PAYTOWER_FROM_OPENSSL(BIO_new);
PAYTOWER_FROM_OPENSSL(BIO_new_mem_buf);
PAYTOWER_FROM_OPENSSL(BIO_s_mem);
PAYTOWER_FROM_OPENSSL(BIO_write);
PAYTOWER_FROM_OPENSSL(ERR_clear_error);
PAYTOWER_FROM_OPENSSL(ERR_peek_error);
PAYTOWER_FROM_OPENSSL(ERR_reason_error_string);
PAYTOWER_FROM_OPENSSL(EVP_CIPHER_CTX_free);
PAYTOWER_FROM_OPENSSL(EVP_CIPHER_CTX_new);
PAYTOWER_FROM_OPENSSL(EVP_CIPHER_CTX_set_padding);
PAYTOWER_FROM_OPENSSL(EVP_CipherInit_ex);
PAYTOWER_FROM_OPENSSL(EVP_CipherUpdate);
PAYTOWER_FROM_OPENSSL(EVP_aes_128_ecb);
PAYTOWER_FROM_OPENSSL(PEM_read_bio_X509);
PAYTOWER_FROM_OPENSSL(SSL_CTX_ctrl);
PAYTOWER_FROM_OPENSSL(SSL_CTX_free);
PAYTOWER_FROM_OPENSSL(SSL_CTX_new);
PAYTOWER_FROM_OPENSSL(SSL_CTX_set_cert_verify_callback);
PAYTOWER_FROM_OPENSSL(SSL_CTX_set_options);
PAYTOWER_FROM_OPENSSL(SSL_CTX_set_verify);
PAYTOWER_FROM_OPENSSL(SSL_ctrl);
PAYTOWER_FROM_OPENSSL(SSL_do_handshake);
PAYTOWER_FROM_OPENSSL(SSL_free);
PAYTOWER_FROM_OPENSSL(SSL_get_error);
PAYTOWER_FROM_OPENSSL(SSL_get_ex_data);
PAYTOWER_FROM_OPENSSL(SSL_get_ex_data_X509_STORE_CTX_idx);
PAYTOWER_FROM_OPENSSL(SSL_get_verify_result);
PAYTOWER_FROM_OPENSSL(SSL_new);
PAYTOWER_FROM_OPENSSL(SSL_read);
PAYTOWER_FROM_OPENSSL(SSL_set_bio);
PAYTOWER_FROM_OPENSSL(SSL_set_connect_state);
PAYTOWER_FROM_OPENSSL(SSL_set_ex_data);
PAYTOWER_FROM_OPENSSL(SSL_write);
PAYTOWER_FROM_OPENSSL(TLS_client_method);
PAYTOWER_FROM_OPENSSL(X509_STORE_CTX_get0_cert);
PAYTOWER_FROM_OPENSSL(X509_STORE_CTX_get_ex_data);
PAYTOWER_FROM_OPENSSL(X509_STORE_CTX_set_error);
PAYTOWER_FROM_OPENSSL(X509_cmp);
PAYTOWER_FROM_OPENSSL(X509_free);

#undef PAYTOWER_FROM_OPENSSL

}  // namespace paytower
