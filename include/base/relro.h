/* Read-only after relocation: glibc's static programs see to it before main, musl's (1.2.5) do not, and tables of functions would
 * stay writable. */
#ifndef WHERRY_BASE_RELRO_H
#define WHERRY_BASE_RELRO_H

#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#ifdef __GLIBC__
static inline void relro_protect(void)
{
}
#else
extern const ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

/* The first thing a program does. A refusal is no reason to end. */
static inline void relro_protect(void)
{
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR), *relro = NULL;
    uintptr_t base = 0;

    for (unsigned long i = 0; header != NULL && i < getauxval(AT_PHNUM); i++) {
        if (header[i].p_type == PT_DYNAMIC)
            base = (uintptr_t)_DYNAMIC - header[i].p_vaddr;
        if (header[i].p_type == PT_GNU_RELRO)
            relro = &header[i];
    }
    if (base != 0 && relro != NULL) {
        uintptr_t page = getauxval(AT_PAGESZ), from = (base + relro->p_vaddr) & ~(page - 1),
                  to = (base + relro->p_vaddr + relro->p_memsz) & ~(page - 1);
        (void)mprotect((void *)from, to - from, PROT_READ);
    }
}
#endif

#endif
