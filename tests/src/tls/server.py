# Keeps what comes over TLS in a file and answers each HTTP request with 200. What it sends itself
# holds nothing of what came.
import socket
import ssl
import sys
import threading

HOST, CERTIFICATE, KEY, KEPT = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
kept = open(KEPT, "ab", buffering=0)


def is_whole(message):
    head, end, body = message.partition(b"\r\n\r\n")
    if not end:
        return False
    fields = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in fields:
        return body.endswith(b"0\r\n\r\n")
    lengths = [int(field[15:]) for field in fields if field.startswith(b"content-length:")]
    return len(body) >= sum(lengths)


# Not by unwrap(), which waits for the other side's goodbye: tstclnt waits for ours.
def close(stream):
    stream.setblocking(False)
    try:
        stream.unwrap()
    except OSError:
        pass
    stream.shutdown(socket.SHUT_WR)
    stream.settimeout(5)
    while stream.recv(65536):
        pass


def serve(plain):
    try:
        with context.wrap_socket(plain, server_side=True) as stream:
            message = b""
            while part := stream.recv(65536):
                kept.write(part)
                message += part
                if is_whole(message):
                    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
                    if b"\r\nconnection: close" in message.lower():
                        close(stream)
                        return
                    message = b""
    except OSError:
        pass


family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
listener = socket.create_server((HOST, 0), family=family, backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
