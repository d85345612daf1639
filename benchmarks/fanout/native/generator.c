/* The readers: one epoll loop that opens many event streams, and checks and times every event.
 *
 *   generator -p PORT -n CONNECTIONS -r REQUESTS [-w WINDOW] [-m SAMPLES] [-i] [-b BYTES] [-g BYTES]
 *
 * REQUESTS is a file of request heads, each ended by an empty line; connection i sends the head
 * i % (how many there are). At most WINDOW connections are being opened at once. What is to be
 * timed carries "n=NUMBER t=NANOSECONDS of CLOCK_MONOTONIC" in its data: NUMBER must be 1, 2, 3, …
 * on each connection. With -i each event's id must be, too. -b and -g set SO_RCVBUF and TCP_MAXSEG:
 * a small pair makes the path between a server and a reader that has stopped as short as a
 * network's, where loopback's would take in megabytes first.
 *
 * It prints one line of JSON when every stream is open (its response's head is here), and then one
 * for each line on standard input:
 *
 *   reset               forget what was counted and sampled; numbers go on
 *   wait EVENTS MS      answer when so many events have come since the reset, or MS have passed
 *   freeze I | thaw I   stop, or go on, reading connection I
 *   samples FILE        write the samples: (u32 connection, u32 number, u64 sent, u64 received)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum phase { UNOPENED, CONNECTING, HEAD, BODY, CLOSED };
enum chunk { SIZE, DATA, AFTER };

typedef struct {
    int fd;
    enum phase phase;
    enum chunk chunk;
    int chunked;
    size_t chunk_left;
    char *carry; /* the beginning of a line (or of the head) whose end has not come yet */
    size_t carried;
    uint64_t last_number, last_id; /* the newest that were dispatched */
    uint64_t number, sent, id;     /* of the event whose lines are coming in; 0: none yet */
} connection;

typedef struct {
    uint32_t connection, number;
    uint64_t sent, received;
} sample;

#define STDIN_MARK UINT32_MAX
#define READ_BYTES (256 * 1024)
#define EVENTS_AT_ONCE 512

static connection *connections;
static uint32_t total, opened, started, outstanding, closed, window_size = 64;
static struct sockaddr_in address = {.sin_family = AF_INET};
static char *heads;       /* the requests, one after the other */
static char **head_start; /* where each begins; one more at the end */
static uint32_t head_count;
static sample *samples;
static uint64_t sample_count, max_samples;
static uint64_t events, bytes, lost, doubled, wrong_ids, last_ns;
static uint64_t wait_for, wait_until;
static int waiting, check_ids, receive_buffer, segment_size, epoll_fd;
static char buffer[READ_BYTES];

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("generator: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
}

/* ---- what comes in, from the outside to the inside: head, chunks, lines, events ---- */

static void end_of_event(connection *c, uint64_t received) {
    if (c->id && check_ids) {
        wrong_ids += c->id != c->last_id + 1;
        c->last_id = c->id;
    }
    if (c->number) {
        if (c->number <= c->last_number) doubled++;
        else lost += c->number - c->last_number - 1;
        c->last_number = c->number;
        events++;
        last_ns = received;
        if (sample_count < max_samples)
            samples[sample_count++] = (sample){(uint32_t)(c - connections), (uint32_t)c->number,
                                               c->sent, received};
    }
    c->number = c->id = 0;
}

/* `line` is followed by a newline, which stops strtoull. */
static void take_line(connection *c, char *line, size_t length, uint64_t received) {
    if (length && line[length - 1] == '\r') length--;
    if (length == 0) {
        end_of_event(c, received);
    } else if (length > 4 && memcmp(line, "id: ", 4) == 0) {
        c->id = strtoull(line + 4, NULL, 10);
    } else if (length > 6 && memcmp(line, "data: ", 6) == 0) {
        char *mark = memmem(line, length, "\"n=", 3);
        char *after;
        if (!mark) return;
        c->number = strtoull(mark + 3, &after, 10);
        if (memcmp(after, " t=", 3) != 0) fail("an event without its time: %.*s", (int)length, line);
        c->sent = strtoull(after + 3, NULL, 10);
    }
}

static void carry(connection *c, const char *data, size_t length) {
    c->carry = realloc(c->carry, c->carried + length + 1);
    memcpy(c->carry + c->carried, data, length);
    c->carried += length;
    c->carry[c->carried] = 0;
}

static void drop_carry(connection *c) {
    free(c->carry);
    c->carry = NULL;
    c->carried = 0;
}

static void take_body(connection *c, char *data, size_t length, uint64_t received) {
    char *end = data + length, *newline;
    while (data < end && (newline = memchr(data, '\n', (size_t)(end - data)))) {
        if (c->carried) {
            carry(c, data, (size_t)(newline + 1 - data));
            take_line(c, c->carry, c->carried - 1, received);
            drop_carry(c);
        } else {
            take_line(c, data, (size_t)(newline - data), received);
        }
        data = newline + 1;
    }
    if (data < end) carry(c, data, (size_t)(end - data));
}

static void take_chunks(connection *c, char *data, size_t length, uint64_t received) {
    char *end = data + length;
    while (data < end) {
        if (c->chunk == DATA) {
            size_t part = (size_t)(end - data) < c->chunk_left ? (size_t)(end - data) : c->chunk_left;
            take_body(c, data, part, received);
            data += part;
            if ((c->chunk_left -= part) == 0) c->chunk = AFTER;
            continue;
        }
        char byte = *data++;
        if (c->chunk == AFTER) {
            if (byte == '\n') c->chunk = SIZE;
        } else if (byte == '\n') {
            c->chunk = c->chunk_left ? DATA : AFTER;
        } else if (byte != '\r') {
            int digit = byte >= 'a' ? byte - 'a' + 10 : byte >= 'A' ? byte - 'A' + 10 : byte - '0';
            if (digit < 0 || digit > 15) fail("a chunk's size with the byte 0x%02x", byte & 255);
            c->chunk_left = c->chunk_left * 16 + (size_t)digit;
        }
    }
}

static void take(connection *c, char *data, size_t length, uint64_t received) {
    bytes += length;
    if (c->phase == HEAD) {
        size_t before = c->carried;
        carry(c, data, length);
        char *end = strstr(c->carry, "\r\n\r\n");
        if (!end) return;
        end[2] = 0;
        if (strncmp(c->carry, "HTTP/1.1 200", 12) != 0) fail("a stream was refused:\n%s", c->carry);
        c->chunked = strcasestr(c->carry, "\r\ntransfer-encoding: chunked") != NULL;
        c->phase = BODY;
        opened++;
        outstanding--;
        size_t used = (size_t)(end + 4 - c->carry) - before;
        drop_carry(c);
        data += used;
        length -= used;
    }
    (c->chunked ? take_chunks : take_body)(c, data, length, received);
}

/* ---- connections ---- */

static void watch(uint32_t index, int operation, uint32_t interest) {
    struct epoll_event event = {.events = interest, .data.u32 = index};
    if (epoll_ctl(epoll_fd, operation, connections[index].fd, &event)) fail("epoll_ctl: %m");
}

static void start_connection(uint32_t index) {
    connection *c = &connections[index];
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) fail("connection %u: %m", index);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (receive_buffer)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (segment_size)
        setsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &segment_size, sizeof segment_size);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        fail("connection %u: %m", index);
    c->phase = CONNECTING;
    watch(index, EPOLL_CTL_ADD, EPOLLOUT);
    outstanding++;
}

static void on_ready(uint32_t index) {
    connection *c = &connections[index];
    if (c->phase == CONNECTING) {
        char *request = head_start[index % head_count];
        size_t length = (size_t)(head_start[index % head_count + 1] - request);
        if (send(c->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
            fail("connection %u could not send its request: %m", index);
        c->phase = HEAD;
        watch(index, EPOLL_CTL_MOD, EPOLLIN);
        return;
    }
    ssize_t count = recv(c->fd, buffer, sizeof buffer - 1, 0);
    if (count > 0) {
        take(c, buffer, (size_t)count, now_ns());
    } else if (count == 0 || errno != EAGAIN) {
        if (c->phase == HEAD) fail("connection %u ended before its response", index);
        c->phase = CLOSED;
        closed++;
        close(c->fd);
    }
}

/* ---- commands ---- */

static void report(void) {
    waiting = 0;
    say("{\"events\": %lu, \"bytes\": %lu, \"lost\": %lu, \"doubled\": %lu, \"wrong_ids\": %lu, "
        "\"closed\": %u, \"samples\": %lu, \"last_ns\": %lu, \"now_ns\": %lu, \"cpu_ns\": %lu}",
        events, bytes, lost, doubled, wrong_ids, closed, sample_count, last_ns, now_ns(), cpu_ns());
}

static void on_command(char *line) {
    char file[4096];
    uint64_t count, milliseconds;
    uint32_t index;
    if (strcmp(line, "reset") == 0) {
        events = bytes = sample_count = last_ns = 0;
        report();
    } else if (sscanf(line, "wait %lu %lu", &count, &milliseconds) == 2) {
        waiting = 1;
        wait_for = count;
        wait_until = now_ns() + milliseconds * 1000000u;
    } else if (sscanf(line, "freeze %u", &index) == 1 && index < total) {
        watch(index, EPOLL_CTL_DEL, 0);
        report();
    } else if (sscanf(line, "thaw %u", &index) == 1 && index < total) {
        watch(index, EPOLL_CTL_ADD, EPOLLIN);
        report();
    } else if (sscanf(line, "samples %4095s", file) == 1) {
        FILE *output = fopen(file, "wb");
        if (!output) fail("%s: %m", file);
        if (fwrite(samples, sizeof *samples, sample_count, output) != sample_count || fclose(output))
            fail("%s: %m", file);
        report();
    } else {
        fail("no such command: %s", line);
    }
}

static void on_input(void) {
    static char line[8192];
    static size_t length;
    ssize_t count = read(0, line + length, sizeof line - 1 - length);
    if (count <= 0) exit(0);
    length += (size_t)count;
    char *newline;
    while ((newline = memchr(line, '\n', length))) {
        *newline = 0;
        on_command(line);
        length -= (size_t)(newline + 1 - line);
        memmove(line, newline + 1, length);
    }
}

static void read_requests(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("%s: %m", path);
    size_t length = (size_t)ftell(file);
    rewind(file);
    heads = calloc(1, length + 1);
    if (fread(heads, 1, length, file) != length) fail("%s: %m", path);
    fclose(file);
    head_start = malloc(sizeof *head_start * (length / 4 + 2));
    head_start[0] = heads;
    for (char *end = heads; (end = strstr(end, "\r\n\r\n"));) head_start[++head_count] = end += 4;
    if (!head_count) fail("%s holds no request", path);
}

int main(int count, char **arguments) {
    const char *requests = NULL;
    int option;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    while ((option = getopt(count, arguments, "p:n:r:w:m:b:g:i")) != -1) {
        if (option == 'p') address.sin_port = htons((uint16_t)atoi(optarg));
        else if (option == 'n') total = (uint32_t)atoi(optarg);
        else if (option == 'r') requests = optarg;
        else if (option == 'w') window_size = (uint32_t)atoi(optarg);
        else if (option == 'm') max_samples = strtoull(optarg, NULL, 10);
        else if (option == 'b') receive_buffer = atoi(optarg);
        else if (option == 'g') segment_size = atoi(optarg);
        else if (option == 'i') check_ids = 1;
        else return 2;
    }
    if (!requests || !total) fail("it needs -p, -n and -r");
    read_requests(requests);
    connections = calloc(total, sizeof *connections);
    samples = malloc(sizeof *samples * (max_samples + 1));
    memset(samples, 0, sizeof *samples * max_samples); /* touched now, not while it measures */
    epoll_fd = epoll_create1(0);
    struct epoll_event input = {.events = EPOLLIN, .data.u32 = STDIN_MARK};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &input);

    struct epoll_event ready[EVENTS_AT_ONCE];
    uint64_t begun = now_ns();
    int announced = 0;
    for (;;) {
        while (started < total && outstanding < window_size) start_connection(started++);
        int timeout = -1;
        if (waiting) {
            uint64_t now = now_ns();
            timeout = now >= wait_until ? 0 : (int)((wait_until - now) / 1000000u) + 1;
        }
        int found = epoll_wait(epoll_fd, ready, EVENTS_AT_ONCE, timeout);
        for (int i = 0; i < found; i++) {
            if (ready[i].data.u32 == STDIN_MARK) on_input();
            else on_ready(ready[i].data.u32);
        }
        if (!announced && opened == total) {
            announced = 1;
            say("{\"opened\": %u, \"open_ns\": %lu, \"cpu_ns\": %lu}", opened, now_ns() - begun,
                cpu_ns());
        }
        if (waiting && (events >= wait_for || now_ns() >= wait_until)) report();
    }
}
