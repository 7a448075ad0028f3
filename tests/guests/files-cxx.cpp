// What files.c does, through the C++ standard library (its <filesystem> is not built for WASI, so names go through libc).
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <iostream>
#include <string>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <vector>

static void check(bool good, const char *what)
{
    if (good)
        return;
    std::cout << what << ": " << std::strerror(errno) << "\n";
    std::exit(1);
}

static void write(const std::string &file, std::ios::openmode mode, const std::string &text)
{
    std::ofstream out(file, mode);
    out << text;
    out.flush();
    check(out.good(), "write");
}

static void list(const std::string &folder)
{
    std::vector<std::string> names;
    DIR *dir = opendir(folder.c_str());
    check(dir != nullptr, "list");
    while (dirent *entry = readdir(dir))
        if (entry->d_name[0] != '.')
            names.push_back(entry->d_name);
    closedir(dir);
    std::sort(names.begin(), names.end());
    std::cout << "listing:";
    for (const auto &name : names)
        std::cout << " " << name;
    std::cout << "\n";
}

int main(int argc, char **argv)
{
    const std::string folder = argc > 1 ? argv[1] : ".";
    const char *name = std::getenv("NAME");
    std::string text;
    struct stat st;

    std::cout << "name: " << (name != nullptr ? name : "none") << "\n";
    check(mkdir((folder + "/sub").c_str(), 0777) == 0, "mkdir");
    write(folder + "/one", std::ios::out, "hello, ");
    write(folder + "/one", std::ios::app, "files");
    std::ifstream in(folder + "/one");
    in.seekg(7);
    std::getline(in, text);
    std::cout << "from 7 on: " << text << "\n";
    in.clear();
    in.seekg(0, std::ios::end);
    std::cout << "size: " << in.tellg() << "\n";
    in.close();
    check(std::rename((folder + "/one").c_str(), (folder + "/sub/two").c_str()) == 0, "rename");
    std::cout << "missing: " << (stat((folder + "/one").c_str(), &st) != 0 && errno == ENOENT ? "yes" : "no") << "\n";
    write(folder + "/three", std::ios::out, "3");
    list(folder);
    auto begin = std::chrono::steady_clock::now();
    timespec pause = {0, 20000000};
    nanosleep(&pause, nullptr);
    bool slept = std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(20);
    bool century = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) > 978307200;
    std::cout << "slept: " << (slept ? "yes" : "no") << "\nthis century: " << (century ? "yes" : "no") << "\n";
    check(unlink((folder + "/sub/two").c_str()) == 0 && rmdir((folder + "/sub").c_str()) == 0 &&
              unlink((folder + "/three").c_str()) == 0,
          "remove");
    list(folder);
    return 0;
}
