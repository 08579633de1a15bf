#!/usr/bin/env bash
# Caddy sends a POST again without its body, and answers 502.
#
# Expected: Caddy 2.6.2 is told to read the body of each request before it goes upstream (buffer_requests), and to send a
# POST again for 2 s if it fails (lb_try_duration, lb_retry_match). If the upstream has closed a connection that Caddy
# kept, just when the second POST was on its way, Caddy sends it again on a new connection, whole, and the client gets 200.
#
# So it is: it sends the head again with "Content-Length: 2", and no body; its log says "http: ContentLength=2 with Body
# length 0", and it tries that until the 2 s are over. The buffer was read by the first attempt, and is not rewound. The
# same without buffer_requests, with lb_retries, with an Idempotency-Key, with keepalive_idle_conns_per_host 1, and with
# two upstreams. What helps is that the body stays with Caddy until the upstream has asked for it: "header_up Expect
# 100-continue" with "expect_continue_timeout 2s" in "transport http", or "keepalive off". Seen with Debian 12; the output
# is below.
#
# Exits with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq -o APT::Sandbox::User=root caddy=2.6.2-5
dpkg -x caddy_*.deb .

# Answers the first POST of each connection 200. Of the second it reads as much as there is, and closes.
cat >upstream.py <<'PYTHON'
import socket
import threading


def serve(connection):
    with connection, connection.makefile("rb") as stream:
        for is_answered in [True, False]:
            length = 0
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            if stream.read(length) == b"{}" and is_answered:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_RDWR)


server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
PYTHON
mkfifo upstream
python3 upstream.py >upstream &
read -r upstream <upstream

# It listens at a socket, so that no port is needed.
cat >Caddyfile <<CADDY
{
    admin off
    auto_https off
}
http:// {
    bind unix/$dir/socket
    reverse_proxy 127.0.0.1:$upstream {
        buffer_requests
        lb_try_duration 2s
        lb_retry_match method POST
    }
}
CADDY
HOME=$dir usr/bin/caddy run --config Caddyfile --adapter caddyfile >log 2>&1 &
caddy=$!
until [[ -S socket ]]; do sleep 0.1; done
for place in 1 2 3 4; do
    curl --silent --output /dev/null --write-out "POST $place: %{http_code}\n" --unix-socket socket --data '{}' \
        http://localhost/
done >seen
kill "$caddy"
wait "$caddy" || true
grep --only-matching '"msg":"net/http: [^"]*"' log | uniq >>seen

# Prints what is seen, and compares it with what was seen before.
tee /dev/stderr <seen | diff - /dev/fd/3 3<<'OUT'
POST 1: 200
POST 2: 502
POST 3: 200
POST 4: 502
"msg":"net/http: HTTP/1.x transport connection broken: http: ContentLength=2 with Body length 0"
OUT
echo 'as before'
