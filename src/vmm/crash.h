/*
 * vmm/crash.h: the terminal comes back even when we crash.
 */
#ifndef VMM_CRASH_H
#define VMM_CRASH_H

/*
 * From now on a signal that kills the process for a bug of ours (SIGSEGV, SIGABRT, ...) restores the terminal
 * first. Process-wide, as the terminal is; an engine that handles such a signal itself installs its handler
 * later and passes on what is not its own.
 */
void crash_restores_terminal(void);

#endif
