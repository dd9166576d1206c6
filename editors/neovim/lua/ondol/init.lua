--- Ondol for Neovim: code completion from your own repository. See :help ondol.
--- This file must load on unsupported Neovim versions, so it requires other modules only after a version check.
local M = {}

--- Reports that this Neovim is too old.
function M.too_old()
  local version = vim.version()
  local this = ('%d.%d.%d'):format(version.major, version.minor, version.patch)
  vim.notify(
    ('Ondol needs Neovim 0.10 or newer, but this is %s. Ondol was not started.'):format(this),
    vim.log.levels.WARN
  )
end

local function supported()
  return vim.fn.has('nvim-0.10') == 1
end

--- Starts Ondol. Options: :help ondol-options.
---@param options table|nil
function M.setup(options)
  if not supported() then
    return M.too_old()
  end
  local client = require('ondol.client')
  local again = client.running()
  for _, problem in ipairs(require('ondol.config').apply(options)) do
    require('ondol.log').notify(problem, vim.log.levels.WARN)
  end
  require('ondol.ghost_text').define_colour()
  require('ondol.edit_display').define_colours()
  require('ondol.keymaps').apply()
  client.run()
  if again then
    client.stop(true)
  end
end

--- Whether a suggestion is visible.
---@return boolean
function M.visible()
  return supported() and require('ondol.actions').visible()
end

--- Accepts the suggestion. Returns false if none is visible.
---@return boolean
function M.accept()
  return supported() and require('ondol.actions').accept('all')
end

--- Accepts the next word of the suggestion.
---@return boolean
function M.accept_word()
  return supported() and require('ondol.actions').accept('word')
end

--- Accepts the first line of the suggestion.
---@return boolean
function M.accept_line()
  return supported() and require('ondol.actions').accept('line')
end

--- Hides the suggestion and reports to the server that it was refused.
---@return boolean
function M.dismiss()
  return supported() and require('ondol.actions').dismiss()
end

--- Shows the next suggestion. Requests more if only one is known.
---@return boolean
function M.next()
  return supported() and require('ondol.actions').cycle(1)
end

--- Shows the previous suggestion.
---@return boolean
function M.previous()
  return supported() and require('ondol.actions').cycle(-1)
end

--- Requests a suggestion now, whatever its confidence.
function M.trigger()
  if supported() then
    require('ondol.actions').trigger()
  end
end

--- Goes to the next edit, or applies it if the cursor is there. Returns false if none is visible.
---@return boolean
function M.next_edit()
  return supported() and require('ondol.next_edit').act()
end

--- Refuses the next edit. Returns false if none is visible.
---@return boolean
function M.edit_dismiss()
  return supported() and require('ondol.next_edit').dismiss()
end

--- Whether a next edit is visible.
---@return boolean
function M.edit_visible()
  return supported() and require('ondol.next_edit').visible()
end

--- Switches suggestions on or off everywhere.
---@param on boolean|nil nil toggles
---@return boolean|nil on
function M.toggle(on)
  if not supported() then
    return nil
  end
  local now = require('ondol.client').switch('all', on)
  require('ondol.log').notify(now and 'suggestions on everywhere' or 'suggestions off everywhere')
  return now
end

--- The state for the status line; empty if Ondol does not support the buffer.
---@return string
function M.statusline()
  if not supported() or not package.loaded['ondol.client'] then
    return ''
  end
  return require('ondol.status').short(vim.api.nvim_get_current_buf())
end

return M
