/* SPDX-License-Identifier: Apache-2.0 */
/* The page of the command line, from the tables that `tarn` itself reads. */
#ifndef TARN_GEN_DOCS_PAGE_COMMANDS_H
#define TARN_GEN_DOCS_PAGE_COMMANDS_H

void page_commands(void);

#endif
