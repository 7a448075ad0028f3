/* Functions whose misuse is too easy. Included by the build in front of every file of ours (-include). */
#ifndef WHERRY_BASE_BANNED_H
#define WHERRY_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok tmpnam mktemp

#endif
