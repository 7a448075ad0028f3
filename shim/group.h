/* Which containers share a shim: those whose annotations name the same group, a pod's. */
#ifndef WHERRY_SHIM_GROUP_H
#define WHERRY_SHIM_GROUP_H

/* The annotations that name it, the first that is there counts; NULL at the end. Without any a container is alone. */
extern const char *const group_annotations[];

/* Removes what a dead shim left of the containers in the states' directory ROOT whose group is GROUP, but for the container
 * GROUP itself. containerd asks only for the deletion of the container by which it started the shim. Failures are left for
 * the next attempt: whoever is looked at next must not suffer. */
void group_delete_others(const char *root, const char *group);

#endif
