/*
 * err.c: failures of the host and of the configuration, put into words.
 */
#include "base/base.h"
#include <stdarg.h>
#include <stdio.h>

static void fill(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
{
    if (!e)
        return;
    /* The arguments may point into e->text: that is how a caller puts its own words around a message. */
    char text[sizeof(e->text)];
    vsnprintf(text, sizeof(text), fmt, ap);
    memcpy(e->text, text, sizeof(text));
    e->kind = kind;
}

bool err_config(struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, ERR_CONFIG, fmt, ap);
    va_end(ap);
    return false;
}

bool err_host(struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, ERR_HOST, fmt, ap);
    va_end(ap);
    return false;
}
