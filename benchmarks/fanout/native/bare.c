/* The limit: a loop of send() over the sockets of an event's readers, and nothing else.
 *
 * It speaks the control protocol of benchmarks/fanout/peers/control.py. A reader of topic I asks
 * for /I. Nothing is parsed but that, nothing is kept, and a socket that is full is waited for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES 65536
#define MAX_FRAME 65536

static const char RESPONSE[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Connection: close\r\n\r\n";

typedef struct {
    int *readers;
    uint32_t count, room;
    uint64_t number; /* of its newest event */
} topic;

static topic *topics;
static uint32_t topic_count;
static int joined[MAX_FILES]; /* whether this descriptor's request has come */
static int epoll_fd, listener;
static char frame_format[MAX_FRAME]; /* of the number (twice), the time and the padding */

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void on_accept(void) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        joined[fd] = 0;
        watch(fd);
    }
}

static void on_request(int fd) {
    char request[4096];
    ssize_t length = recv(fd, request, sizeof request - 1, 0);
    if (length <= 0) { /* readers leave when a measurement is over, and so does this process */
        close(fd);
        return;
    }
    if (joined[fd]) return;
    request[length] = 0;
    topic *t = &topics[strtoul(request + 5, NULL, 10) % topic_count];
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 1;
        t->readers = realloc(t->readers, sizeof *t->readers * t->room);
    }
    t->readers[t->count++] = fd;
    joined[fd] = 1;
    send(fd, RESPONSE, sizeof RESPONSE - 1, MSG_NOSIGNAL);
}

static void send_whole(int fd, const char *data, size_t length) {
    while (length) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) return;
            struct pollfd full = {.fd = fd, .events = POLLOUT};
            poll(&full, 1, -1);
            continue;
        }
        data += sent;
        length -= (size_t)sent;
    }
}

/* Send each topic its next event in turn, for so long, at so many a second in all (0: flat out). */
static void emit(double seconds, double per_second, int padding) {
    char frame[MAX_FRAME];
    char spaces[MAX_FRAME / 2];
    memset(spaces, 'x', sizeof spaces);
    uint64_t begun = now_ns(), end = begun + (uint64_t)(seconds * 1e9), emitted = 0;
    uint64_t planned = per_second > 0 ? (uint64_t)(seconds * per_second + 0.5) : UINT64_MAX;
    while (emitted < planned) {
        uint64_t now = now_ns();
        if (per_second > 0) {
            uint64_t due = begun + (uint64_t)((double)emitted * 1e9 / per_second);
            if (due > now) {
                struct timespec pause = {.tv_sec = (time_t)((due - now) / 1000000000u),
                                         .tv_nsec = (long)((due - now) % 1000000000u)};
                nanosleep(&pause, NULL);
                now = now_ns();
            }
        }
        if (now >= end) break;
        topic *t = &topics[emitted % topic_count];
        t->number++;
        int length = snprintf(frame, sizeof frame, frame_format, t->number, t->number, now,
                              padding, spaces);
        for (uint32_t i = 0; i < t->count; i++) send_whole(t->readers[i], frame, (size_t)length);
        emitted++;
    }
    printf("{\"emitted\": %lu}\n", emitted);
}

static void on_command(void) {
    static char line[4096];
    double seconds, per_second;
    int padding;
    uint32_t count;
    if (!fgets(line, sizeof line, stdin)) exit(0);
    if (sscanf(line, "topics %u", &count) == 1) {
        topics = calloc(count, sizeof *topics);
        topic_count = count;
        printf("{\"targets\": [");
        for (uint32_t i = 0; i < count; i++) printf(i ? ", \"/%u\"" : "\"/%u\"", i);
        printf("]}\n");
    } else if (sscanf(line, "emit %lf %lf %d", &seconds, &per_second, &padding) == 3) {
        emit(seconds, per_second, padding);
    } else {
        fprintf(stderr, "bare: no such command: %s", line);
        exit(1);
    }
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    strncpy(frame_format, arguments[1], sizeof frame_format - 1);
    setvbuf(stdin, NULL, _IONBF, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 2048) ||
        getsockname(listener, (struct sockaddr *)&address, &length)) {
        perror("bare");
        return 1;
    }
    epoll_fd = epoll_create1(0);
    watch(listener);
    watch(0);
    printf("{\"port\": %d, \"pids\": [%d]}\n", ntohs(address.sin_port), getpid());
    fflush(stdout);
    struct epoll_event ready[512];
    for (;;) {
        int found = epoll_wait(epoll_fd, ready, 512, -1);
        for (int i = 0; i < found; i++) {
            if (ready[i].data.fd == listener) on_accept();
            else if (ready[i].data.fd == 0) on_command();
            else on_request(ready[i].data.fd);
        }
    }
}
