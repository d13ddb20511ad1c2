/* SPDX-License-Identifier: Apache-2.0 */
#include "base/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#include "base/hash.h"

typedef struct search {
	uintptr_t address;
	uint64_t hash;
} search;

/* The build id in a segment of notes, hashed; 0 when it has none. */
static uint64_t build_id(const char *at, size_t n)
{
	while (n >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) h;
		memcpy(&h, at, sizeof h);
		size_t name = (h.n_namesz + 3u) & ~3u, desc = (h.n_descsz + 3u) & ~3u;
		if (name > n - sizeof h || desc > n - sizeof h - name)
			return 0;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && !memcmp(at + sizeof h, "GNU", 4))
			return tarn_hash(at + sizeof h + name, h.n_descsz, 1);
		at += sizeof h + name + desc;
		n -= sizeof h + name + desc;
	}
	return 0;
}

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	search *s = arg;
	const char *code = NULL;
	size_t code_size = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && s->address >= at && s->address - at < p->p_memsz) {
			code = (const char *)at;
			code_size = p->p_filesz;
		}
	}
	if (!code)
		return 0;
	for (int i = 0; i < info->dlpi_phnum && !s->hash; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			s->hash = build_id((const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
					   info->dlpi_phdr[i].p_memsz);
	if (!s->hash)
		s->hash = tarn_hash(code, code_size, 2);
	return 1;
}

uint64_t tarn_module_hash(const void *address)
{
	search s = {.address = (uintptr_t)address};
	dl_iterate_phdr(visit, &s);
	return s.hash;
}

void *tarn_module_find(const char *soname, const char *symbol)
{
	void *lib = dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
	if (!lib)
		return NULL;
	void *at = dlsym(lib, symbol);
	dlclose(lib); /* the process holds its own reference */
	return at;
}
