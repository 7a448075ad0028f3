// What files.c does, as a C++ program. Debian's libc++ for WASI is built without <filesystem>, and since Debian 13 without
// file streams too, so files go through libc's FILE behind a destructor.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <iostream>
#include <memory>
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

struct close_file {
    void operator()(std::FILE *file) const
    {
        std::fclose(file);
    }
};
using open_file = std::unique_ptr<std::FILE, close_file>;

static open_file open(const std::string &name, const char *mode)
{
    open_file file(std::fopen(name.c_str(), mode));
    check(file != nullptr, "open");
    return file;
}

static void write(const std::string &name, const char *mode, const std::string &text)
{
    open_file out = open(name, mode);
    bool good = std::fwrite(text.data(), 1, text.size(), out.get()) == text.size();
    check(good && std::fflush(out.get()) == 0, "write");
}

static std::string read_line(std::FILE *in)
{
    std::string text;
    for (int byte = std::fgetc(in); byte != EOF && byte != '\n'; byte = std::fgetc(in))
        text += static_cast<char>(byte);
    return text;
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
    struct stat st;

    std::cout << "name: " << (name != nullptr ? name : "none") << "\n";
    check(mkdir((folder + "/sub").c_str(), 0777) == 0, "mkdir");
    write(folder + "/one", "w", "hello, ");
    write(folder + "/one", "a", "files");
    {
        open_file in = open(folder + "/one", "r");
        check(std::fseek(in.get(), 7, SEEK_SET) == 0, "seek");
        std::cout << "from 7 on: " << read_line(in.get()) << "\n";
        check(std::fseek(in.get(), 0, SEEK_END) == 0, "seek");
        std::cout << "size: " << std::ftell(in.get()) << "\n";
    }
    check(std::rename((folder + "/one").c_str(), (folder + "/sub/two").c_str()) == 0, "rename");
    std::cout << "missing: " << (stat((folder + "/one").c_str(), &st) != 0 && errno == ENOENT ? "yes" : "no") << "\n";
    write(folder + "/three", "w", "3");
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
