/*
 * The log: one line an event on stderr, with the level that journald reads
 * ("<4>") when stderr is the journal, else with a time. Never subjects,
 * bodies, tokens, passwords or PINs, at any level.
 */
#ifndef SEALPOST_BASE_LOG_H
#define SEALPOST_BASE_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_ERROR = 3, /* the numbers of syslog */
    LOG_LEVEL_WARN = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* `program` is borrowed for good. Lines above `max` are dropped. */
void log_open(const char *program, enum log_level max);
void log_set_level(enum log_level max);
bool log_wants(enum log_level level);
/* false: addresses given through log_address() are hashed. */
void log_set_addresses(bool shown);
bool log_shows_addresses(void);

/* `what` names the room, like "sync". The text is one line; control bytes
 * become blanks. Data goes as key=value: "account=%s folder=%s". */
void log_msg(enum log_level level, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(what, ...) log_msg(LOG_LEVEL_ERROR, what, __VA_ARGS__)
#define log_warn(what, ...) log_msg(LOG_LEVEL_WARN, what, __VA_ARGS__)
#define log_notice(what, ...) log_msg(LOG_LEVEL_NOTICE, what, __VA_ARGS__)
#define log_info(what, ...) log_msg(LOG_LEVEL_INFO, what, __VA_ARGS__)
#define log_debug(what, ...) log_msg(LOG_LEVEL_DEBUG, what, __VA_ARGS__)

/* The address as the log may show it: itself, or "#" and a salted hash that
 * is the same for one address in one run. Valid until four more calls in the
 * same thread. */
const char *log_address(const char *address);

#endif
