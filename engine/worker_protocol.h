/* What the compile worker and its launcher agree on: argv is "compile" KEY-IN-HEX COMPILER,FEATURES,EXPLICIT-CHECKS;
 * an error comes back as one struct err in the report pipe, success as nothing and exit status 0. */
#ifndef WHERRY_ENGINE_WORKER_PROTOCOL_H
#define WHERRY_ENGINE_WORKER_PROTOCOL_H

enum { WORKER_MODULE_FD = 3, WORKER_OUT_FD = 4, WORKER_REPORT_FD = 5 };

#endif
