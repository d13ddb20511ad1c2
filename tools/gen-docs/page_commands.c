/* SPDX-License-Identifier: Apache-2.0 */
#include "page_commands.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct option {
	const char *field, *names, *arg, *doc;
} option;
static const option options[] = {
#define OPT(field, names, kind, arg, doc) {#field, names, arg, doc},
#include "tarn/options.def"
#undef OPT
};

static const struct {
	const char *name, *summary, *takes, *example;
} commands[] = {
#define COMMAND(name, summary, takes, example) {#name, summary, takes, example},
#include "tarn/commands.def"
#undef COMMAND
};

static bool takes(const char *list, const char *field)
{
	size_t n = strlen(field);
	for (const char *at = list; (at = strstr(at, field)); at += n)
		if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
	return false;
}

/* "`-m`, `-model`" of "m|model"; nothing of "". */
static void print_names(const char *names)
{
	for (const char *at = names; *at;) {
		size_t n = strcspn(at, "|");
		printf("%s`-%.*s`", at == names ? "" : ", ", (int)n, at);
		at += n + (at[n] == '|');
	}
}

static void print_option(const option *o)
{
	printf("| ");
	print_names(o->names);
	printf(" | ");
	for (const char *c = o->arg; *c; c++)
		printf(*c == '|' ? " \\| " : "%c", *c);
	printf(" | ");
	for (const char *c = o->doc; *c; c++)
		printf(*c == '|' ? "\\|" : "%c", *c);
	printf(" |\n");
}

void page_commands(void)
{
	puts("# Commands and options\n");
	puts("The same as `tarn help COMMAND`. An option has one dash or two; its value is the next word or follows `=`.");
	puts("Exit codes: 0 done, 1 failed while running (or interrupted), 2 usage, 3 bad model or data, 4 no such device, 5 a "
	     "limit not met.");
	puts("A failure is one line on stderr; with `--json` also `{\"error\": {\"code\", \"where\", \"message\"}}` on stdout, "
	     "instead of the report.");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const char *does = commands[i].summary;
		printf("\n## tarn %s\n\n%c%s.\n\n    %s\n\n", commands[i].name, toupper((unsigned char)*does), does + 1,
		       commands[i].example);
		puts("| option | value | what it does |\n|---|---|---|");
		for (size_t k = 0; k < sizeof options / sizeof *options; k++)
			if (takes(commands[i].takes, options[k].field))
				print_option(&options[k]);
	}
}
