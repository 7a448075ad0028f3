/* Making an artifact, once however many want it at the same time. */
#ifndef WHERRY_ENGINE_CACHE_JOB_H
#define WHERRY_ENGINE_CACHE_JOB_H

#include "engine/cache/entry.h"

/* Makes ENTRY from the module in MODULE_FD and opens it, or waits for the process that does and opens what it made;
 * *WAS_CACHED then. A failure that is the module's own is everybody's; if the process or its worker is killed, the next in
 * line does the work. Returns 0; -ENODEV when it was made and cannot be used from there; -EAGAIN when the module's bytes
 * are not those of entry->key; what the kernel says where the directory cannot be written; or compile_artifact's errors. */
int job_run(const struct cache_entry *entry, int module_fd, const struct cache_settings *settings, int *artifact_fd,
            bool *was_cached, struct err *err);

/* The same without the cache: the artifact becomes a sealed memfd. DIRECTORY: whose slots bound it; NULL: none. */
int job_run_in_memory(const struct cache_entry *entry, int module_fd, const struct cache_settings *settings,
                      int *artifact_fd, struct err *err);

/* Whether STATUS is a failure that anybody who tried again would meet again. */
bool job_is_modules_own(int status);

#endif
