"""Measurements that compare with peers or with a bare loop; run by hand, never as tests."""
