/*
 * tsv.c: forms.tsv.
 */
#include "tsv.h"

#include <stdlib.h>

enum vendor_bits { AMD = 1, INTEL = 2 };
static const char *const vendor_names[] = {"", "amd", "intel", "any"};

struct row {
    char text[160]; /* ISA set, mnemonic, operands, width */
    uint16_t isa_set;
    unsigned vendors; /* enum vendor_bits */
};
struct rows {
    struct row *row;
    unsigned n;
};

static int by_text(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static void add_forms(struct rows *r, bool amd, unsigned bits)
{
    struct forms f;
    forms_find(&f, NULL, amd, bits);
    r->row = realloc(r->row, (r->n + f.count) * sizeof(*r->row));
    assert(r->row);
    for (unsigned i = 0; i < f.count; i++) {
        const struct form *form = &f.form[i];
        struct row *row = &r->row[r->n++];
        row->isa_set = form->isa_set;
        row->vendors = amd ? AMD : INTEL;
        snprintf(row->text, sizeof(row->text), "%s\t%.*s\t%s\t%u", ZydisISASetGetString(form->isa_set),
                 (int)form->name_len, form->text,
                 form->text + form->name_len + (form->text[form->name_len] == ' '), form->width);
    }
    forms_free(&f);
}

/* All rows of a code size, each once. */
static struct rows rows_of(unsigned bits)
{
    struct rows r = {0};
    unsigned kept = 0;
    add_forms(&r, true, bits);
    add_forms(&r, false, bits);
    qsort(r.row, r.n, sizeof(*r.row), by_text);
    for (unsigned i = 0; i < r.n; i++)
        if (kept && !strcmp(r.row[kept - 1].text, r.row[i].text))
            r.row[kept - 1].vendors |= r.row[i].vendors;
        else
            r.row[kept++] = r.row[i];
    r.n = kept;
    return r;
}

static void heading(char text[160])
{
    uint64_t v = ZydisGetVersion();
    snprintf(text, 160, "# decoder %u.%u.%u; made by insn-silicon --write-forms\n",
             (unsigned)ZYDIS_VERSION_MAJOR(v), (unsigned)ZYDIS_VERSION_MINOR(v),
             (unsigned)ZYDIS_VERSION_PATCH(v));
}

void tsv_write(FILE *to)
{
    char text[160];
    heading(text);
    fprintf(to, "%s# mode\tvendor\tisa set\tmnemonic\toperands\twidth\n", text);
    for (unsigned bits = 64; bits >= 16; bits /= 2) {
        struct rows r = rows_of(bits);
        for (unsigned i = 0; i < r.n; i++)
            fprintf(to, "%u\t%s\t%s\n", bits, vendor_names[r.row[i].vendors], r.row[i].text);
        free(r.row);
    }
}

/* The file's lines of this code size against the rows, both sorted alike. */
static bool same_rows(FILE *from, const struct rows *r, unsigned bits)
{
    char line[256], want[256];
    unsigned i = 0;
    while (fgets(line, sizeof(line), from)) {
        if (line[0] == '#' || strtoul(line, NULL, 10) != bits)
            continue;
        want[0] = 0;
        if (i < r->n)
            snprintf(want, sizeof(want), "%u\t%s\t%s\n", bits, vendor_names[r->row[i].vendors],
                     r->row[i].text);
        i++;
        if (strcmp(line, want)) {
            printf("the list of forms is stale: it has \"%.*s\" where \"%.*s\" is found\n",
                   (int)strcspn(line, "\n"), line, (int)strcspn(want, "\n"), want);
            return false;
        }
    }
    if (i != r->n)
        printf("the list of forms is stale: %u rows of %u-bit code, %u are found\n", i, bits, r->n);
    return i == r->n;
}

static bool among(const struct forms *f, const struct row *row)
{
    for (unsigned i = 0; i < f->count; i++) {
        const struct form *form = &f->form[i];
        char text[160];
        snprintf(text, sizeof(text), "%s\t%.*s\t%s\t%u", ZydisISASetGetString(form->isa_set),
                 (int)form->name_len, form->text,
                 form->text + form->name_len + (form->text[form->name_len] == ' '), form->width);
        if (!strcmp(text, row->text))
            return true;
    }
    return false;
}

bool tsv_check(const char *file, const struct forms *f, const struct cpuid_model *m, bool *other)
{
    char line[160] = "", own[160];
    FILE *from = fopen(file, "re");
    heading(own);
    *other = false;
    if (!from || !fgets(line, sizeof(line), from)) {
        printf("cannot read the list of forms: %s\n", file);
        if (from)
            fclose(from);
        return false;
    }
    *other = strcmp(line, own);
    struct rows r = rows_of(f->code_bits);
    bool ok = *other || same_rows(from, &r, f->code_bits);
    unsigned vendor = m->vendor == CPU_AMD ? AMD : INTEL, mine = 0, offered = 0;
    for (unsigned i = 0; ok && i < r.n; i++) {
        bool here = (r.row[i].vendors & vendor) && isa_offered(m, r.row[i].isa_set);
        mine += (r.row[i].vendors & vendor) != 0;
        offered += here;
        if (here && !among(f, &r.row[i])) {
            printf("not run: %s\n", r.row[i].text);
            ok = false;
        }
    }
    printf(
        "list of forms: %u rows of %u-bit code for this vendor, %u of ISA sets that the guest is offered\n",
        mine, f->code_bits, offered);
    fclose(from);
    free(r.row);
    return ok;
}
