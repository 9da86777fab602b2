/*
 * run_values.c: reads sizes, counts, seconds and words, and says what is wrong with them.
 */
#include "cli/run_values.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digits(const char *s, size_t len)
{
    return len > 0 && strspn(s, "0123456789") >= len;
}

bool value_size(const struct option_use *use, uint64_t unit, uint64_t *bytes, struct err *e)
{
    static const char units[] = "KMGkmg";
    const char *text = use->value;
    size_t digits = strspn(text, "0123456789");
    const char *suffix = text + digits;
    const char *u = *suffix ? strchr(units, *suffix) : NULL;

    if (!digits || (*suffix && (!u || suffix[1])))
        return err_config(e, "%s '%.80s': not a size; write a whole number and K, M or G, such as 512M",
                          use->name, text);
    if (u)
        unit = 1ull << (10 * ((u - units) % 3 + 1));
    errno = 0;
    uint64_t n = strtoull(text, NULL, 10);
    if (errno || !mul_u64(n, unit, bytes))
        return err_config(e, "%s '%.80s': more than 64 bits can count; write a smaller size, such as 512M",
                          use->name, text);
    if (n == 0)
        return err_config(e, "%s '%.80s': a machine needs memory; write a size such as 512M", use->name,
                          text);
    if (*bytes < MIB(1) && !u)
        return err_config(e, "%s '%.80s': that is bytes; write %.80sM if you mean megabytes", use->name, text,
                          text);
    return true;
}

bool value_count(const struct option_use *use, const char *text, unsigned *n, struct err *e)
{
    unsigned long v = 0;
    errno = 0;
    if (!is_digits(text, strlen(text)))
        return err_config(e, "%s '%.80s': not a number; write a whole number such as 1", use->name,
                          use->value);
    v = strtoul(text, NULL, 10);
    if (errno || v > UINT32_MAX)
        return err_config(e, "%s '%.80s': too many; write a whole number such as 1", use->name, use->value);
    if (v == 0)
        return err_config(e, "%s '%.80s': a machine has at least one; write 1", use->name, use->value);
    *n = (unsigned)v;
    return true;
}

bool value_port(const struct option_use *use, size_t len, uint16_t *port, struct err *e)
{
    const char *text = use->value, *digits = text;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (hex)
        digits += 2;
    size_t n = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
    errno = 0;
    unsigned long v = strtoul(digits, NULL, hex ? 16 : 10);
    if (n == 0 || (size_t)(digits - text) + n != len || errno || v > UINT16_MAX)
        return err_config(e, "%s '%.80s': not an I/O port; write a number up to 0xffff, such as 0xe9",
                          use->name, text);
    *port = (uint16_t)v;
    return true;
}

bool value_seconds(const struct option_use *use, double *s, struct err *e)
{
    const char *text = use->value;
    size_t whole = strspn(text, "0123456789");
    size_t fraction = text[whole] == '.' ? 1 + strspn(text + whole + 1, "0123456789") : 0;
    /* No sign, no exponent, no "nan" and "inf", and a digit somewhere. */
    if (text[whole + fraction] || whole + fraction == 0 || (!whole && fraction == 1))
        return err_config(e, "%s '%.80s': not a time; write seconds, such as 60 or 2.5", use->name, text);
    *s = strtod(text, NULL);
    return true;
}

bool value_word(const struct option_use *use, const char *const *words, unsigned *index, struct err *e)
{
    char list[200] = "";
    for (unsigned i = 0; words[i]; i++) {
        if (!strcmp(words[i], use->value)) {
            *index = i;
            return true;
        }
        size_t at = strlen(list);
        snprintf(list + at, sizeof(list) - at, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }
    return err_config(e, "%s '%.80s': not known; use %s", use->name, use->value, list);
}
