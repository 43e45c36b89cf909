// Round trips of a cache line between processors 0 and 1.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static _Alignas(128) atomic_int turn;
static int trips;

static void pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *answer(void *unused) {
    pin(1);
    for (int i = 0; i < trips; i++) {
        while (atomic_load_explicit(&turn, memory_order_acquire) != 2 * i + 1) {
        }
        atomic_store_explicit(&turn, 2 * i + 2, memory_order_release);
    }
    return unused;
}

// Return the nanoseconds of a round trip: the mean of the last nine tenths of `count`.
double round_trip(int count) {
    cpu_set_t before;
    pthread_getaffinity_np(pthread_self(), sizeof before, &before);
    trips = count;
    atomic_store(&turn, 0);
    pin(0);
    pthread_t other;
    if (pthread_create(&other, 0, answer, 0)) return 0;
    struct timespec begin, end;
    for (int i = 0; i < count; i++) {
        if (i == count / 10) clock_gettime(CLOCK_MONOTONIC, &begin);
        atomic_store_explicit(&turn, 2 * i + 1, memory_order_release);
        while (atomic_load_explicit(&turn, memory_order_acquire) != 2 * i + 2) {
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    pthread_join(other, 0);
    pthread_setaffinity_np(pthread_self(), sizeof before, &before);
    return ((end.tv_sec - begin.tv_sec) * 1e9 + end.tv_nsec - begin.tv_nsec) / (count - count / 10);
}
