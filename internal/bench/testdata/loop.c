/*
 * What a client in C could reach at best: on descriptor 3, which has negotiated,
 * it sends the shortest request and reads the reply up to its end of line. For
 * each number on stdin it does so as many times and prints how many nanoseconds
 * that took.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char request[] = "{\"execute\":\"query-status\"}";

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int call(void)
{
    char reply[4096];
    ssize_t n;

    if (write(3, request, sizeof request - 1) != sizeof request - 1)
        return -1;
    do {
        n = read(3, reply, sizeof reply);
        if (n <= 0)
            return -1;
    } while (reply[n - 1] != '\n');
    return 0;
}

int main(void)
{
    long count, i;

    fcntl(3, F_SETFL, fcntl(3, F_GETFL) & ~O_NONBLOCK);
    while (scanf("%ld", &count) == 1) {
        long long begin = now();
        for (i = 0; i < count; i++) {
            if (call() < 0) {
                fprintf(stderr, "call: %s\n", strerror(errno));
                return 1;
            }
        }
        printf("%lld\n", now() - begin);
        fflush(stdout);
    }
    return 0;
}
