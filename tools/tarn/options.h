/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of options (options.def), each command takes some of them. */
#ifndef TARN_TOOL_OPTIONS_H
#define TARN_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct option_list {
	const char **at;
	size_t n;
} option_list;

#define REPORT_FILE "benchmark_report.json" /* what bench writes into -report_folder */

#define OPTION_FLAG bool
#define OPTION_TEXT const char *
#define OPTION_OUT const char *
#define OPTION_INT long
#define OPTION_NUM double
#define OPTION_LIST option_list

/* Numbers that were not given are -1; text is NULL, flags false, lists empty. */
typedef struct options {
#define OPT(field, names, kind, arg, doc) OPTION_##kind field;
#include "options.def"
#undef OPT
	int argc; /* the words after the command, as they were given */
	char **argv;
} options;

/* Fills o from the words after the command. takes: the fields the command knows, separated by blanks. 0, or 2 after printing
 * what is wrong. */
int options_parse(const char *command, const char *takes, int argc, char **argv, options *o);
/* Before any work: can what was asked for be written, and is it not the model itself? 0, or the exit code after printing why
 * not. */
int options_check_outputs(const char *command, const options *o);
void options_fini(options *o);
/* The lines of a command's help. */
void options_help(const char *takes);

#endif
