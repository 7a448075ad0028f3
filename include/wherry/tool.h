/* The commands that the engine brings to the `wherry` program. */
#ifndef WHERRY_TOOL_H
#define WHERRY_TOOL_H

/* `wherry wasm run|compile|inspect|validate ...`; argv[0] is "wasm". Returns the exit status of the process. */
int tool_wasm(int argc, char **argv);

#endif
