/* The shim's log: one line per event on stderr, which is the `log` fifo of the bundle that containerd copies to its own. */
#ifndef WHERRY_SHIM_LOG_H
#define WHERRY_SHIM_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Lines below LEVEL are left out. INFO by default. */
void log_set_level(enum log_level level);

/* Writes one line, with ID (a container's; NULL: none). Never blocks: a line that does not fit into the fifo is lost. */
__attribute__((format(printf, 3, 4))) void log_line(enum log_level level, const char *id, const char *format, ...);

#endif
