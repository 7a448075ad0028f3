/* A guest that traps, below two functions whose names a backtrace should show: by what is asked for.
 * `trap unreachable | memory | divide | stack` */
#include <stdio.h>
#include <string.h>

static volatile int zero;

__attribute__((noinline)) static int sail_into_the_rocks(const char *how)
{
    if (strcmp(how, "unreachable") == 0)
        __builtin_trap();
    if (strcmp(how, "memory") == 0)
        return *(volatile int *)0xfffffff0u;
    if (strcmp(how, "divide") == 0)
        return 100 / zero; /* not 1: compilers know that 1 / x is a comparison */
    return 0;
}

__attribute__((noinline)) static int dive(int depth)
{
    volatile char space[1024];
    space[depth % 1024] = 1;
    return depth < 0 ? 0 : dive(depth + 1) + space[0];
}

__attribute__((noinline)) static int leave_harbour(const char *how)
{
    return strcmp(how, "stack") == 0 ? dive(0) : sail_into_the_rocks(how) + 1;
}

int main(int argc, char **argv)
{
    printf("before\n");
    fflush(stdout);
    return leave_harbour(argc > 1 ? argv[1] : "unreachable");
}
