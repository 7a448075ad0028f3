// A guest in C++ that throws: out of constructors, through frames with destructors, across calls through pointers, rethrown and nested.
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {
int alive;

struct counted {
    std::string name;
    explicit counted(std::string n) : name(std::move(n)) { alive++; }
    ~counted() { alive--; }
};

int divide(int a, int b)
{
    counted guard("divide");
    if (b == 0)
        throw std::domain_error("division of " + std::to_string(a) + " by zero");
    return a / b;
}

int deep(int n)
{
    counted guard("deep " + std::to_string(n));
    if (n == 0)
        throw 42;
    return deep(n - 1) + 1;
}

struct part {
    part() { throw std::runtime_error("no such part"); }
};

struct whole {
    counted first{"first"};
    part second;
};

int nested(int n)
{
    try {
        try {
            if (n % 3 == 0)
                throw n;
            if (n % 3 == 1)
                throw std::string("one");
            return std::vector<int>(3).at(n);
        } catch (int v) {
            if (v > 100)
                throw;
            throw static_cast<long>(v) * 2;
        }
    } catch (const std::string &s) {
        return static_cast<int>(s.size());
    } catch (long v) {
        return static_cast<int>(v);
    } catch (int v) {
        return -v;
    } catch (const std::out_of_range &) {
        return 1000 + n;
    }
}
}

int main(int argc, char **argv)
{
    try {
        std::printf("%d\n", divide(7, argc > 50 ? 0 : 2));
        std::printf("%d\n", divide(7, 0));
    } catch (const std::exception &e) {
        std::printf("%s\n", e.what());
    }
    try {
        deep(500);
    } catch (int v) {
        std::printf("%d, %d alive\n", v, alive);
    }
    try {
        whole w;
    } catch (const std::runtime_error &e) {
        std::printf("%s, %d alive\n", e.what(), alive);
    }
    long sum = 0;
    std::function<int(int)> f = nested;
    for (int i = 0; i < 3000; i++)
        sum += f(i);
    std::printf("%ld\n", sum);
    try {
        std::string().at(5);
    } catch (...) {
        auto kept = std::current_exception();
        try {
            std::rethrow_exception(kept);
        } catch (const std::logic_error &e) {
            std::printf("logic error\n");
        }
    }
    if (argc > 1)
        throw std::runtime_error(argv[1]);
    std::printf("%d alive\n", alive);
}
