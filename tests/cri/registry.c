/* registry DIRECTORY PORT: serves images to containerd on the loopback, as much of the distribution specification as a pull
 * needs. DIRECTORY/blobs/sha256/HEX are the blobs, DIRECTORY/tags/REPOSITORY/TAG are links to manifests among them; any
 * repository has every blob. One process per connection. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *directory;

/* Reads up to the empty line of one request. Returns false at the end of the connection, or where TLS is tried: the client then comes
 * again without. */
static int request_read(int client, char *out, size_t size)
{
    size_t len = 0;

    while (len + 1 < size && read(client, out + len, 1) == 1) {
        out[++len] = 0;
        if (out[0] == 0x16)
            return 0;
        if (len >= 4 && strcmp(out + len - 4, "\r\n\r\n") == 0)
            return 1;
    }
    return 0;
}

/* PATH is /v2/REPOSITORY/manifests/REFERENCE or .../blobs/DIGEST. Opens what it names, its digest into HEX. */
static int target_open(char *path, int *is_manifest, char hex[PATH_MAX])
{
    char link[PATH_MAX], file[PATH_MAX], *kind = strstr(path, "/manifests/"), *reference;
    ssize_t len;

    *is_manifest = kind != NULL;
    if (kind == NULL)
        kind = strstr(path, "/blobs/");
    if (kind == NULL || strncmp(path, "/v2/", 4) != 0 || strstr(path, "..") != NULL)
        return -1;
    reference = strchr(kind + 1, '/') + 1;
    if (strncmp(reference, "sha256:", 7) == 0) {
        snprintf(hex, PATH_MAX, "%s", reference + 7);
    } else {
        *kind = 0;
        if (snprintf(link, sizeof link, "%s/tags/%s/%s", directory, path + 4, reference) >= PATH_MAX)
            return -1;
        len = readlink(link, file, sizeof file - 1);
        if (len < 64)
            return -1;
        file[len] = 0;
        snprintf(hex, PATH_MAX, "%s", file + len - 64);
    }
    if (snprintf(file, sizeof file, "%s/blobs/sha256/%s", directory, hex) >= PATH_MAX)
        return -1;
    return open(file, O_RDONLY | O_CLOEXEC);
}

/* The media type of a manifest is in its first bytes (tests/image). */
static const char *manifest_type(int fd)
{
    char head[256] = "";

    if (pread(fd, head, sizeof head - 1, 0) > 0 && strstr(head, "vnd.oci.image.index.v1+json") != NULL)
        return "application/vnd.oci.image.index.v1+json";
    return "application/vnd.oci.image.manifest.v1+json";
}

static void answer(int client, int with_body, char *path)
{
    char hex[PATH_MAX];
    struct stat st;
    int is_manifest = 0, fd;
    off_t at = 0;

    path[strcspn(path, "?")] = 0;
    if (strcmp(path, "/v2") == 0 || strcmp(path, "/v2/") == 0) {
        dprintf(client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    fd = target_open(path, &is_manifest, hex);
    if (fd < 0 || fstat(fd, &st) != 0) {
        dprintf(client, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    dprintf(client,
            "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %lld\r\nDocker-Content-Digest: sha256:%s\r\n\r\n",
            is_manifest ? manifest_type(fd) : "application/octet-stream", (long long)st.st_size, hex);
    while (with_body && at < st.st_size && sendfile(client, fd, &at, (size_t)(st.st_size - at)) > 0)
        ;
    close(fd);
}

static void serve(int client)
{
    char request[16384], method[8], path[4096];

    while (request_read(client, request, sizeof request) && sscanf(request, "%7s %4095s", method, path) == 2)
        answer(client, strcasecmp(method, "GET") == 0, path);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (argc != 3)
        return 2;
    directory = argv[1];
    at.sin_port = htons((unsigned short)atoi(argv[2]));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    signal(SIGCHLD, SIG_IGN);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0) {
        perror("registry");
        return 1;
    }
    for (;;) {
        int client = accept(fd, NULL, NULL);
        if (client >= 0 && fork() == 0) {
            serve(client);
            _exit(0);
        }
        close(client);
    }
}
