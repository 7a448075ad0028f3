// A guest in C++: the standard library at work (containers, algorithms, streams), without exceptions.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
};
struct square : shape {
    double side;
    explicit square(double s) : side(s) {}
    double area() const override
    {
        return side * side;
    }
};

int main(int argc, char **argv)
{
    std::vector<std::string> words(argv + 1, argv + argc);
    std::map<std::string, int> count;
    std::vector<std::unique_ptr<shape>> shapes;
    std::sort(words.begin(), words.end());
    for (const auto &word : words)
        count[word]++;
    for (int i = 1; i <= 3; i++)
        shapes.push_back(std::make_unique<square>(i));
    double sum = 0;
    for (const auto &s : shapes)
        sum += s->area();
    std::cout << "Hello from C++! area " << sum << "\n";
    for (const auto &[word, n] : count)
        std::cout << word << " " << n << "\n";
    return 0;
}
