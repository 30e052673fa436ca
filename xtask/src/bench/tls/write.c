// Writes to a TLS 1.3 connection over loopback, and tells what that takes.
//
//     write CERTIFICATE KEY
//
// says "ready" once there is a connection, and answers each line "BYTES MILLISECONDS" with one of
// nanoseconds a write, a number for each batch. Both ends are in one thread: what comes is taken off the
// other one's queue as it is and nobody decrypts it, so nothing else takes time meanwhile.
//
// libssl is opened by its name and what is needed of it declared here, so that its headers need not be
// installed.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Constants of include/openssl/ssl.h and tls1.h.
#define SSL_FILETYPE_PEM 1
#define SSL_CTRL_SET_MIN_PROTO_VERSION 123
#define TLS1_3_VERSION 0x0304

#define BATCH 16
#define BYTES_MAX 16384
#define TRIES_MAX 1000

// Without a digit: the prefilter has nothing to look at.
static const char LINE[] = "the quick brown fox jumps over the lazy dog and then runs away.\n";

static void *library;
static int sender, receiver;

static void check(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s\n", what);
		exit(1);
	}
}

static void *function(const char *name)
{
	void *found = dlsym(library, name);

	check(found != NULL, name);
	return found;
}

static int (*ssl_write)(void *session, const void *text, int bytes);
static int (*ssl_do_handshake)(void *session);

static void connect_both(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof to;
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	check(bind(listener, (void *)&to, length) == 0 && listen(listener, 1) == 0, "no listener");
	check(getsockname(listener, (void *)&to, &length) == 0, "no port");
	sender = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(sender, (void *)&to, length) == 0, "no connection");
	receiver = accept(listener, NULL, NULL);
	check(receiver >= 0, "nothing to accept");
	check(setsockopt(sender, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "no TCP_NODELAY");
	close(listener);
}

static void block(int blocks)
{
	fcntl(sender, F_SETFL, blocks ? 0 : O_NONBLOCK);
	fcntl(receiver, F_SETFL, blocks ? 0 : O_NONBLOCK);
}

// Shakes hands, in turn on both ends, and gives the end that writes.
static void *shake_hands(const char *certificate, const char *key)
{
	const void *(*client)(void) = function("TLS_client_method");
	const void *(*server)(void) = function("TLS_server_method");
	void *(*new_context)(const void *) = function("SSL_CTX_new");
	long (*control)(void *, int, long, void *) = function("SSL_CTX_ctrl");
	int (*use_certificate)(void *, const char *, int) = function("SSL_CTX_use_certificate_file");
	int (*use_key)(void *, const char *, int) = function("SSL_CTX_use_PrivateKey_file");
	void *(*new_session)(void *) = function("SSL_new");
	int (*set_fd)(void *, int) = function("SSL_set_fd");
	void (*set_connect)(void *) = function("SSL_set_connect_state");
	void (*set_accept)(void *) = function("SSL_set_accept_state");
	void *of_client = new_context(client()), *of_server = new_context(server());
	void *writes, *accepts;
	int written = 0, accepted = 0;

	check(of_client != NULL && of_server != NULL, "no context");
	check(control(of_client, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, NULL) == 1,
	      "no TLS 1.3");
	check(use_certificate(of_server, certificate, SSL_FILETYPE_PEM) == 1, "no certificate");
	check(use_key(of_server, key, SSL_FILETYPE_PEM) == 1, "no key");
	writes = new_session(of_client);
	accepts = new_session(of_server);
	check(writes != NULL && accepts != NULL, "no session");
	check(set_fd(writes, sender) == 1 && set_fd(accepts, receiver) == 1, "no socket");
	set_connect(writes);
	set_accept(accepts);
	block(0);
	for (int tries = 0; tries < TRIES_MAX && !(written == 1 && accepted == 1); tries++) {
		written = ssl_do_handshake(writes);
		accepted = ssl_do_handshake(accepts);
	}
	check(written == 1 && accepted == 1, "no handshake");
	block(1);
	return writes;
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// One write, and how long it took.
static long long write_ns(void *session, const char *text, int bytes)
{
	static char taken[BYTES_MAX];
	long long began = now_ns(), took;

	check(ssl_write(session, text, bytes) == bytes, "a write failed");
	took = now_ns() - began;
	// A record is 22 bytes longer than its text (RFC 8446, 5.2: a head, the type, a tag of 16);
	// MSG_TRUNC drops bytes instead of copying them (tcp(7)).
	for (long left = bytes + 22, got; left > 0; left -= got) {
		long wanted = left < BYTES_MAX ? left : BYTES_MAX;

		got = recv(receiver, taken, wanted, MSG_TRUNC);
		check(got > 0, "the connection ended");
	}
	return took;
}

int main(int count, char **words)
{
	char line[64], text[BYTES_MAX];
	int bytes, milliseconds;
	void *session;

	check(count == 3, "usage: write CERTIFICATE KEY");
	library = dlopen("libssl.so.3", RTLD_NOW);
	check(library != NULL, "no libssl.so.3");
	ssl_write = function("SSL_write");
	ssl_do_handshake = function("SSL_do_handshake");
	connect_both();
	session = shake_hands(words[1], words[2]);
	for (int at = 0; at < BYTES_MAX; at++)
		text[at] = LINE[at % (sizeof LINE - 1)];
	// What is no longer than the first write of a session may be that one, tried again.
	write_ns(session, text, 1);
	write_ns(session, text, 2);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		check(sscanf(line, "%d %d", &bytes, &milliseconds) == 2, "not BYTES MILLISECONDS");
		check(bytes > 0 && bytes <= BYTES_MAX, "BYTES is no size of a record");
		for (long long began = now_ns(); now_ns() - began < milliseconds * 1000000LL;) {
			long long took = 0;

			for (int sent = 0; sent < BATCH; sent++)
				took += write_ns(session, text, bytes);
			printf("%lld ", took / BATCH);
		}
		puts("");
		fflush(stdout);
	}
	return 0;
}
