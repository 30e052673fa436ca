// Posts CARD to HOST:PORT over TLS: client HOST:PORT CA.
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words)
{
	char body[64], request[256], answer[256];
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	BIO *stream;

	if (count != 3 || SSL_CTX_load_verify_locations(context, words[2], NULL) != 1)
		return 2;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	stream = BIO_new_ssl_connect(context);
	BIO_set_conn_hostname(stream, words[1]);
	if (BIO_do_connect(stream) != 1)
		return 3;
	snprintf(body, sizeof body, "card=%s", getenv("CARD"));
	snprintf(request, sizeof request,
		 "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	if (BIO_write(stream, request, strlen(request)) <= 0)
		return 4;
	return BIO_read(stream, answer, sizeof answer) > 0 ? 0 : 5;
}
