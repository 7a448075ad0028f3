/* cJSON: a document is made, printed, parsed, searched and printed again. */
#include "cJSON.h"
#include "programs.h"

static cJSON *make_pod(int index)
{
    cJSON *pod = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(pod, "containers");
    char text[80];

    snprintf(text, sizeof text, "pod-%d \"%x\"\n\t\u00e9", index, (unsigned)program_random());
    cJSON_AddStringToObject(pod, "name", text);
    cJSON_AddNumberToObject(pod, "weight", program_random() / 1024.0);
    cJSON_AddBoolToObject(pod, "ready", index % 3 == 0);
    for (int i = 0; i < 4; i++) {
        cJSON *container = cJSON_CreateObject();
        cJSON_AddNumberToObject(container, "port", 1024 + (int)(program_random() % 60000));
        cJSON_AddStringToObject(container, "image", i % 2 == 0 ? "registry.example/team/image:latest" : "a");
        cJSON_AddItemToArray(list, container);
    }
    return pod;
}

static double add_ports(const cJSON *document)
{
    const cJSON *pod, *container;
    double ports = 0;

    cJSON_ArrayForEach(pod, document) if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(pod, "ready")))
        cJSON_ArrayForEach(container, cJSON_GetObjectItemCaseSensitive(pod, "containers")) ports +=
        cJSON_GetObjectItemCaseSensitive(container, "port")->valuedouble;
    return ports;
}

int main(int argc, char **argv)
{
    int n = program_count(argc, argv);
    uint32_t sum = 2166136261u;

    for (int i = 0; i < n; i++) {
        cJSON *document = cJSON_CreateArray(), *again;
        char *text, *pretty;
        double ports;

        for (int pod = 0; pod < 200; pod++)
            cJSON_AddItemToArray(document, make_pod(pod));
        text = cJSON_PrintUnformatted(document);
        again = cJSON_Parse(text);
        if (again == NULL || !cJSON_Compare(document, again, 1))
            program_fail("cJSON does not read what it wrote");
        pretty = cJSON_Print(again);
        ports = add_ports(again);
        sum = program_sum(sum, pretty, strlen(pretty));
        sum = program_sum(sum, &ports, sizeof ports);
        free(text);
        free(pretty);
        cJSON_Delete(document);
        cJSON_Delete(again);
    }
    return program_end("json", n, sum);
}
