/* How much of the processors Linux lets a container or a service have (control groups, v1 and v2).
 */
#ifndef SEGMODEL_CORE_CGROUP_H
#define SEGMODEL_CORE_CGROUP_H

/* Processors that the quota of this process's group, or of one above it, comes to, rounded up; 0:
 * no quota, or none that can be read. `root` stands before /proc and /sys: "", or a test's folder.
 */
int sgm_cgroup_processors(const char *root);

#endif
