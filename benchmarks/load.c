/* The load of the benchmarks: ready-made frames and requests in a closed loop, every reply compared byte for byte.

       load CASE PORT SERVER_PID CONNECTIONS OUTSTANDING WARM_UP SECONDS
       load cross PORT SERVER_PID CONNECTIONS 1 WARM_UP SECONDS SENDER_PORT SENDER_PID RATE EVENT

   echo       events over WebSocket, each answered by an event; OUTSTANDING of them per connection
   ack        events answered by an acknowledgement
   binary     events with an attachment of 1 KiB, answered by the same
   broadcast  one connection publishes, the next time when all have the event; counted per delivery
   connect    TCP, WebSocket handshake, Engine.IO open, Socket.IO connect, closing handshake
   polling    events over long-polling: a POST, and the GET that was waiting for the answer
   memory     resident memory of the server for each idle connection
   cross      RATE events a second from one client of another server, SENDER, to all connections of this one; an open
              loop, so the latency of each delivery is that of a server which does not wait for its clients

   Prints one JSON object. CPU time is that of all threads of the server, as the kernel counts it for the process.

   One thread and one epoll. Sockets stay blocking: nothing is read unless it is there, and what is sent (a few KiB at
   most, answered before more follows) always fits the socket's buffer. It spins instead of sleeping: a sleeping load is
   woken by the server's sends, at the server's cost (a quarter of an echo), which clients on other machines never are.
   No heartbeat is answered, so a run must be over before the first is due. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TEXT 0x81
#define BINARY 0x82
#define CLOSE 0x88
#define LENGTH_IN_TWO_BYTES 126
#define CONNECTING_AT_ONCE 32
#define PATIENCE 10
#define ATTACHMENT_SIZE 1024

struct bytes {
    char *start;
    size_t size;
};

struct connection {
    int fd;
    void (*receive)(struct connection *);
    bool (*take)(struct connection *); /* takes the next thing out of `held`; false: it is not all there */
    struct bytes request, reply;
    size_t matched;           /* bytes of `reply` that have come */
    struct connection *twin;  /* polling: the other connection of the session */
    bool answered;            /* polling: `reply` has come in this round */
    size_t filled;            /* of `held` */
    char held[2048];
};

static int port, server_pid, connection_count, outstanding;
static double warm_up, seconds;
static struct connection *connections;
static int poller;
static int started, opened;
static long done; /* what the case counts */

/* ---- ends and measures ---- */

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

static void unexpected(const char *what, const char *got, size_t size) {
    die("%s expected, got %zu bytes: %.*s", what, size, (int)(size < 400 ? size : 400), got);
}

static double read_clock(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t)) die("clock: %s", strerror(errno));
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double now(void) { return read_clock(CLOCK_MONOTONIC); }

static double server_cpu(void) {
    clockid_t clock;
    if (clock_getcpuclockid(server_pid, &clock)) die("no process %d", server_pid);
    return read_clock(clock);
}

static double server_kib(void) {
    char path[64], line[256];
    double kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", server_pid);
    FILE *status = fopen(path, "r");
    if (!status) die("no process %d", server_pid);
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %lf", &kib) == 1) break;
    fclose(status);
    return kib;
}

/* ---- bytes and frames ---- */

static void append(struct bytes *to, const void *bytes, size_t size) {
    to->start = realloc(to->start, to->size + size);
    if (!to->start) die("out of memory");
    memcpy(to->start + to->size, bytes, size);
    to->size += size;
}

static struct bytes text(const char *format, ...) {
    struct bytes made = {0};
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&made.start, format, arguments);
    va_end(arguments);
    if (size < 0) die("out of memory");
    made.size = size;
    return made;
}

static void append_frame(struct bytes *to, unsigned char head, bool masked, const char *payload, size_t size) {
    static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char mask_bit = masked ? 0x80 : 0;
    if (size < LENGTH_IN_TWO_BYTES) {
        append(to, (unsigned char[]){head, mask_bit | size}, 2);
    } else {
        append(to, (unsigned char[]){head, mask_bit | LENGTH_IN_TWO_BYTES, size >> 8, size & 255}, 4);
    }
    if (masked) append(to, key, 4);
    append(to, payload, size);
    if (masked)
        for (size_t i = 0; i < size; i++) to->start[to->size - size + i] ^= key[i & 3];
}

static struct bytes text_frame(bool masked, const char *payload) {
    struct bytes made = {0};
    append_frame(&made, TEXT, masked, payload, strlen(payload));
    return made;
}

/* ---- connections ---- */

static void send_all(struct connection *c, struct bytes message) {
    ssize_t n = send(c->fd, message.start, message.size, MSG_NOSIGNAL);
    if (n != (ssize_t)message.size) die("send: %s", n < 0 ? strerror(errno) : "the socket's buffer is full");
}

static void connect_to_server(struct connection *c) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* A reset after the server's FIN leaves no socket in TIME_WAIT, so that no port is used up. */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) die("connect: %s", strerror(errno));
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event)) die("epoll_ctl: %s", strerror(errno));
    c->filled = 0;
}

/* Reads what has come behind what is held; false at the end of the stream. */
static bool hold_more(struct connection *c) {
    ssize_t n = recv(c->fd, c->held + c->filled, sizeof c->held - 1 - c->filled, 0);
    if (n < 0) die("receive: %s", strerror(errno));
    c->filled += n;
    c->held[c->filled] = 0;
    return n > 0;
}

static void drop_held(struct connection *c, size_t size) {
    c->filled -= size;
    memmove(c->held, c->held + size, c->filled + 1);
}

/* Handles whatever has come, once something has. */
static void turn(void) {
    static struct epoll_event events[256];
    double deadline = now() + PATIENCE;
    int n;
    while ((n = epoll_wait(poller, events, 256, 0)) == 0)
        if (now() > deadline) die("the server has not answered for %d s", PATIENCE);
    if (n < 0) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        c->receive(c);
    }
}

static void run_for(double time) {
    for (double end = now() + time; now() < end;) turn();
}

/* Warms up, measures, prints. The closed loop goes on throughout. */
static void measure(void) {
    run_for(warm_up);
    long done_before = done;
    double cpu_before = server_cpu(), before = now();
    run_for(seconds);
    double cpu = server_cpu() - cpu_before, time = now() - before;
    long count = done - done_before;
    if (!count) die("nothing was done in %.1f s", time);
    printf("{\"figure\": %.3f, \"count\": %ld, \"server_busy\": %.3f}\n", cpu / count * 1e6, count, cpu / time);
}

/* ---- opening a WebSocket ---- */

static struct bytes upgrade_request, join_frame, close_frame;
static void (*on_open)(struct connection *);

/* The payload of the first whole frame held, which must be text; a null start when it is not all there. */
static struct bytes held_text(struct connection *c) {
    const unsigned char *head = (unsigned char *)c->held;
    struct bytes nothing = {0};
    if (c->filled < 4) return nothing;
    bool is_long = head[1] == LENGTH_IN_TWO_BYTES;
    size_t offset = is_long ? 4 : 2, size = is_long ? head[2] << 8 | head[3] : head[1];
    if (head[0] != TEXT || head[1] > LENGTH_IN_TWO_BYTES) unexpected("a text frame", c->held, c->filled);
    return c->filled < offset + size ? nothing : (struct bytes){c->held + offset, size};
}

/* Takes a text frame off the connection; its payload must be `start`, anything without a quote or more, `end`. */
static bool take_text(struct connection *c, const char *start, const char *end) {
    struct bytes payload = held_text(c);
    size_t start_size = strlen(start), end_size = strlen(end);
    if (!payload.start) return false;
    if (payload.size < start_size + end_size || memcmp(payload.start, start, start_size) ||
        memcmp(payload.start + payload.size - end_size, end, end_size))
        unexpected(start, payload.start, payload.size);
    drop_held(c, payload.start + payload.size - c->held);
    return true;
}

/* Nothing but a heartbeat comes to an idle connection. It need not be answered before the run is over. */
static bool take_heartbeat(struct connection *c) {
    c->filled = 0;
    return false;
}

static bool take_joined(struct connection *c) {
    if (!take_text(c, "40{\"sid\":\"", "\"}")) return false;
    c->take = take_heartbeat;
    on_open(c);
    return true;
}

static bool take_open(struct connection *c) {
    if (!take_text(c, "0{\"sid\":\"", "}")) return false;
    send_all(c, join_frame);
    c->take = take_joined;
    return true;
}

static bool take_upgraded(struct connection *c) {
    char *end = strstr(c->held, "\r\n\r\n");
    if (!end) return false;
    char *accept = strstr(c->held, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    if (memcmp(c->held, "HTTP/1.1 101 ", 13) || !accept || accept > end) unexpected("101", c->held, c->filled);
    drop_held(c, end + 4 - c->held);
    c->take = take_open;
    return true;
}

static void receive_held(struct connection *c) {
    if (!hold_more(c)) die("the server has closed a connection");
    while (c->take(c)) continue;
}

static void open_websocket(struct connection *c) {
    connect_to_server(c);
    c->receive = receive_held;
    c->take = take_upgraded;
    send_all(c, upgrade_request);
}

static void make_websocket_messages(void) {
    upgrade_request = text("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:%d\r\n"
                           "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                           port);
    join_frame = text_frame(true, "40");
    append_frame(&close_frame, CLOSE, true, "\x03\xe8", 2);
}

static void open_next(struct connection *c) {
    (void)c;
    opened++;
    if (started < connection_count) open_websocket(&connections[started++]);
}

static void open_all(void) {
    on_open = open_next;
    while (started < connection_count && started < CONNECTING_AT_ONCE) open_websocket(&connections[started++]);
    while (opened < connection_count) turn();
}

/* ---- echo, ack, binary: each reply calls for the next request ---- */

/* Compares what has come with `reply` over and over; gives how many of them are complete. */
static int receive_replies(struct connection *c) {
    static char received[1 << 16];
    int complete = 0;
    ssize_t n = recv(c->fd, received, sizeof received, 0);
    if (n <= 0) die("receive: %s", n ? strerror(errno) : "the server has closed a connection");
    for (ssize_t at = 0; at < n;) {
        size_t size = c->reply.size - c->matched, left = n - at;
        if (size > left) size = left;
        if (memcmp(received + at, c->reply.start + c->matched, size)) unexpected(c->reply.start, received + at, left);
        at += size;
        c->matched += size;
        if (c->matched == c->reply.size) {
            c->matched = 0;
            complete++;
        }
    }
    return complete;
}

static void receive_answers(struct connection *c) {
    int answers = receive_replies(c);
    done += answers;
    if (answers) send_all(c, (struct bytes){c->request.start, c->request.size / outstanding * answers});
}

static void exchange(struct bytes request, struct bytes reply) {
    struct bytes requests = {0};
    for (int i = 0; i < outstanding; i++) append(&requests, request.start, request.size);
    open_all();
    for (int i = 0; i < connection_count; i++) {
        struct connection *c = &connections[i];
        c->receive = receive_answers;
        c->request = requests;
        c->reply = reply;
        send_all(c, requests);
    }
    measure();
}

#define ARGUMENT "{\"user\":\"u1\",\"text\":\"hello world, this is a message\",\"n\":12345}"

static void run_echo(void) {
    const char *event = "42[\"echo\"," ARGUMENT "]";
    exchange(text_frame(true, event), text_frame(false, event));
}

static void run_ack(void) {
    exchange(text_frame(true, "4217[\"ack\"," ARGUMENT "]"), text_frame(false, "4317[" ARGUMENT "]"));
}

static void run_binary(void) {
    const char *event = "451-[\"bin\",{\"_placeholder\":true,\"num\":0}]";
    struct bytes request = text_frame(true, event), reply = text_frame(false, event);
    char attachment[ATTACHMENT_SIZE];
    for (int i = 0; i < ATTACHMENT_SIZE; i++) attachment[i] = i * 7;
    append_frame(&request, BINARY, true, attachment, ATTACHMENT_SIZE);
    append_frame(&reply, BINARY, false, attachment, ATTACHMENT_SIZE);
    exchange(request, reply);
}

/* ---- broadcast: all deliveries call for the next publication ---- */

static struct bytes publication;

static void receive_delivery(struct connection *c) {
    static int deliveries;
    if (!receive_replies(c)) return;
    done++;
    if (++deliveries == connection_count) {
        deliveries = 0;
        send_all(&connections[0], publication);
    }
}

static void run_broadcast(void) {
    publication = text_frame(true, "42[\"publish\"," ARGUMENT "]");
    struct bytes delivery = text_frame(false, "42[\"news\"," ARGUMENT "]");
    open_all();
    for (int i = 0; i < connection_count; i++) {
        connections[i].receive = receive_delivery;
        connections[i].reply = delivery;
    }
    send_all(&connections[0], publication);
    measure();
}

/* ---- connect: every connection is closed as soon as it is open, and opened again when it is closed ---- */

static void receive_end(struct connection *c) {
    if (hold_more(c)) unexpected("the end", c->held, c->filled);
    close(c->fd);
    done++;
    open_websocket(c);
}

static void receive_close(struct connection *c) {
    if (!hold_more(c)) die("the server has closed a connection without a closing handshake");
    if ((unsigned char)c->held[0] != CLOSE) unexpected("a close frame", c->held, c->filled);
    if (c->filled < 2 || c->filled < 2 + (size_t)c->held[1]) return;
    drop_held(c, 2 + c->held[1]);
    c->receive = receive_end;
}

static void begin_close(struct connection *c) {
    send_all(c, close_frame);
    c->receive = receive_close;
}

static void run_connect(void) {
    on_open = begin_close;
    for (int i = 0; i < connection_count; i++) open_websocket(&connections[i]);
    measure();
}

/* ---- polling: a session is two connections, one for its GETs and one for its POSTs ---- */

/* The chunks from `at` on put together; a null start when the last one has not come. */
static struct bytes held_chunks(struct connection *c, char *at) {
    static char joined[sizeof c->held];
    struct bytes body = {joined, 0}, nothing = {0};
    for (;;) {
        char *line_end = strstr(at, "\r\n");
        if (!line_end) return nothing;
        size_t size = strtoul(at, NULL, 16);
        at = line_end + 2 + size + 2;
        if (at > c->held + c->filled) return nothing;
        if (!size) return body;
        memcpy(joined + body.size, line_end + 2, size);
        body.size += size;
    }
}

/* The body of the response held, which must be a 200; a null start when it is not all there. */
static struct bytes held_body(struct connection *c) {
    struct bytes nothing = {0};
    char *end = strstr(c->held, "\r\n\r\n");
    if (!end) return nothing;
    if (memcmp(c->held, "HTTP/1.1 200 ", 13)) unexpected("a 200", c->held, c->filled);
    char *length = strcasestr(c->held, "\r\nContent-Length:");
    if (!length || length > end) return held_chunks(c, end + 4);
    struct bytes body = {end + 4, strtoul(length + 17, NULL, 10)};
    return c->filled < (size_t)(body.start - c->held) + body.size ? nothing : body;
}

static struct bytes get_request(const char *sid) {
    return text("GET /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: localhost:%d\r\nAccept: */*\r\n\r\n", sid,
                port);
}

static struct bytes post_request(const char *sid, const char *body) {
    return text("POST /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: localhost:%d\r\nAccept: */*\r\n"
                "Content-type: text/plain;charset=UTF-8\r\nContent-Length: %zu\r\n\r\n%s",
                sid, port, strlen(body), body);
}

/* Sends one request and waits for the body of its answer, which stays held until the next read. */
static struct bytes ask(struct connection *c, struct bytes request, const char *expected_start) {
    struct bytes body;
    c->filled = 0;
    send_all(c, request);
    do {
        if (!hold_more(c)) die("the server has closed a connection");
        body = held_body(c);
    } while (!body.start);
    if (body.size < strlen(expected_start) || memcmp(body.start, expected_start, strlen(expected_start)))
        unexpected(expected_start, body.start, body.size);
    free(request.start);
    return body;
}

static void ask_both(struct connection *get, struct connection *post) {
    get->answered = post->answered = false;
    send_all(get, get->request);
    send_all(post, post->request);
}

static void receive_response(struct connection *c) {
    if (!hold_more(c)) die("the server has closed a connection");
    struct bytes body = held_body(c);
    if (!body.start) return;
    if (body.size != c->reply.size || memcmp(body.start, c->reply.start, body.size))
        unexpected(c->reply.start, body.start, body.size);
    c->filled = 0; /* one request at a time: the response is all there is */
    c->answered = true;
    if (!c->twin->answered) return;
    done++;
    bool is_get = c->request.start[0] == 'G';
    ask_both(is_get ? c : c->twin, is_get ? c->twin : c);
}

static void open_session(struct connection *get, struct connection *post) {
    const char *event = "42[\"echo\"," ARGUMENT "]";
    char sid[128];
    connect_to_server(get);
    connect_to_server(post);
    struct bytes open = ask(get, get_request(""), "0{\"sid\":\"");
    snprintf(sid, sizeof sid, "&sid=%.*s", (int)strcspn(open.start + 9, "\""), open.start + 9);
    struct bytes posted = ask(post, post_request(sid, "40"), "");
    if (posted.size != 2 || strncasecmp(posted.start, "ok", 2)) unexpected("ok", posted.start, posted.size);
    post->reply = text("%.2s", posted.start); /* python-socketio says OK */
    ask(get, get_request(sid), "40{\"sid\":\"");
    get->request = get_request(sid);
    get->reply = text("%s", event);
    post->request = post_request(sid, event);
    get->receive = post->receive = receive_response;
    get->twin = post;
    post->twin = get;
    get->filled = post->filled = 0;
}

static void run_polling(void) {
    for (int i = 0; i < connection_count; i += 2) open_session(&connections[i], &connections[i + 1]);
    for (int i = 0; i < connection_count; i += 2) ask_both(&connections[i], &connections[i + 1]);
    measure();
}

/* ---- memory: what the connections after the first few take, once all is quiet ---- */

static void run_memory(void) {
    int total = connection_count, first = CONNECTING_AT_ONCE;
    connection_count = first;
    open_all();
    usleep(warm_up * 1e6);
    double before = server_kib();
    connection_count = total;
    open_websocket(&connections[started++]);
    open_all();
    usleep(seconds * 1e6);
    double kib = (server_kib() - before) / (total - first);
    printf("{\"figure\": %.3f, \"count\": %d, \"server_busy\": 0}\n", kib, total - first);
}

/* ---- cross: events come at a steady rate from a client of another server ---- */

#define STEPS 1000000 /* latencies that are told apart */
#define STEP 10e-6    /* seconds between two of them */

static int sender_port, sender_pid;
static double event_rate;
static const char *event_name;
static unsigned latencies[STEPS];
static bool is_measuring;

/* The payload carries the time at which it was sent; what the server appends to the event does not matter. */
static bool take_news(struct connection *c) {
    struct bytes payload = held_text(c);
    if (!payload.start) return false;
    char *at = memmem(payload.start, payload.size, "\"at\":\"", 6);
    if (at && is_measuring) {
        long step = (now() - strtod(at + 6, NULL)) / STEP;
        latencies[step < STEPS ? step : STEPS - 1]++;
        done++;
    } else if (!at && payload.start[0] != '2') {
        unexpected("an event", payload.start, payload.size);
    }
    drop_held(c, payload.start + payload.size - c->held);
    return true;
}

static void send_news(struct connection *c) {
    char event[256];
    snprintf(event, sizeof event, "42[\"%s\",{\"user\":\"u1\",\"text\":\"hello world\",\"at\":\"%020.9f\"}]",
             event_name, now());
    struct bytes frame = text_frame(true, event);
    send_all(c, frame);
    free(frame.start);
}

/* Sends what is due, and sleeps until more is; gives how many were sent. */
static long send_for(struct connection *sender, double time) {
    static struct epoll_event events[256];
    static double due;
    long sent = 0;
    if (!due) due = now();
    for (double end = now() + time; now() < end;) {
        for (; due <= now(); due += 1 / event_rate, sent++) send_news(sender);
        int n = epoll_wait(poller, events, 256, 1);
        if (n < 0) die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            c->receive(c);
        }
    }
    return sent;
}

static double percentile(double part) {
    long left = part * done;
    int step = 0;
    while (step < STEPS - 1 && (left -= latencies[step]) >= 0) step++;
    return step * STEP * 1e3;
}

static double cpu_of(int pid) {
    server_pid = pid;
    return server_cpu();
}

static void run_cross(void) {
    int receiver_pid = server_pid, receivers = connection_count;
    struct connection *sender = &connections[receivers];
    open_all();
    port = sender_port;
    connection_count++;
    make_websocket_messages();
    open_websocket(&connections[started++]);
    while (opened < connection_count) turn();
    for (int i = 0; i < connection_count; i++) connections[i].take = take_news;
    send_for(sender, warm_up);
    is_measuring = true;
    double sender_before = cpu_of(sender_pid), receiver_before = cpu_of(receiver_pid);
    long sent = send_for(sender, seconds);
    double sender_cpu = cpu_of(sender_pid) - sender_before, receiver_cpu = cpu_of(receiver_pid) - receiver_before;
    printf("{\"sent\": %ld, \"delivered\": %ld, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"sender_us\": %.2f, "
           "\"receiver_us\": %.2f, \"sender_busy\": %.3f, \"receiver_busy\": %.3f}\n",
           sent, done, percentile(0.5), percentile(0.99), sender_cpu / sent * 1e6, receiver_cpu / sent * 1e6,
           sender_cpu / seconds, receiver_cpu / seconds);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"echo", run_echo},       {"ack", run_ack},         {"binary", run_binary}, {"broadcast", run_broadcast},
    {"connect", run_connect}, {"polling", run_polling}, {"memory", run_memory},       {"cross", run_cross},
};

int main(int argument_count, char **arguments) {
    if (argument_count != 8 && argument_count != 12) die("CASE PORT SERVER_PID CONNECTIONS OUTSTANDING WARM_UP SECONDS");
    port = atoi(arguments[2]);
    server_pid = atoi(arguments[3]);
    connection_count = atoi(arguments[4]);
    outstanding = atoi(arguments[5]);
    warm_up = atof(arguments[6]);
    seconds = atof(arguments[7]);
    if (argument_count == 12) {
        sender_port = atoi(arguments[8]);
        sender_pid = atoi(arguments[9]);
        event_rate = atof(arguments[10]);
        event_name = arguments[11];
    }
    connections = calloc(connection_count + 1, sizeof *connections);
    poller = epoll_create1(0);
    make_websocket_messages();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(arguments[1], cases[i].name)) {
            cases[i].run();
            return 0;
        }
    die("no case %s", arguments[1]);
}
